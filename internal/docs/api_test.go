package docs

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// published are the packages whose API a release freezes.
var published = []string{
	"backoff", "broker", "broker/brokertest", "broker/memory", "broker/redis", "client", "dash", "heartbeat", "hub", "metrics/prometheus",
	"otel", "preflight", "protocol", "workerpool",
}

// TestAPI: docs/reference/api has the exported declarations of every package, so that a change of them is seen in a review. With
// -update it writes them. "make api" says which changes are incompatible.
func TestAPI(t *testing.T) {
	for _, dir := range published {
		file := filepath.Join("..", "..", "docs", "reference", "api", strings.ReplaceAll(dir, "/", "-")+".txt")
		want := declarations(t, parse(t, dir))
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, file); got != string(want) {
			t.Errorf("%s is not what the code says: run this test with -update", file)
		}
	}
}

// declarations are those that a package exports, without comments.
func declarations(t *testing.T, p *doc.Package) []byte {
	t.Helper()
	var all []ast.Node
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			all = append(all, v.Decl)
		}
	}
	funcs := func(fs []*doc.Func) {
		for _, f := range fs {
			all = append(all, f.Decl)
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, typ := range p.Types {
		all = append(all, typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	var lines []string
	for _, n := range all {
		var b bytes.Buffer
		if err := (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}).Fprint(&b, token.NewFileSet(), bare(n)); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, b.String())
	}
	slices.Sort(lines)
	return []byte("package " + p.Name + "\n\n" + strings.Join(lines, "\n") + "\n")
}

// bare is a declaration without comments, bodies and what is not exported.
func bare(n ast.Node) ast.Node {
	switch d := n.(type) {
	case *ast.FuncDecl:
		f := *d
		f.Doc, f.Body = nil, nil
		return &f
	case *ast.GenDecl:
		d.Doc = nil
		ast.Inspect(d, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.Field:
				x.Doc, x.Comment = nil, nil
			case *ast.ValueSpec:
				x.Doc, x.Comment = nil, nil
			case *ast.TypeSpec:
				x.Doc, x.Comment = nil, nil
			}
			return true
		})
	}
	return n
}
