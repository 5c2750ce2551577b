package docs

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages that are made of the code")

// TestOptionsPage: docs/reference/options.md lists every option as its doc comment has it, with its default. With -update it writes
// the page.
func TestOptionsPage(t *testing.T) {
	const page = "../../docs/reference/options.md"
	var want bytes.Buffer
	want.WriteString(`# Options

Every option of every package, with its default. The doc comments say more: ` + "`go doc hub.WithAdmission`" + `.

This page is made of the code: ` + "`go test ./internal/docs -run=TestOptionsPage -update`" + `.
`)
	for _, dir := range []string{"hub", "client", "broker/redis", "broker/memory", "workerpool", "backoff", "heartbeat", "preflight", "dash", "otel"} {
		writeOptions(t, &want, dir)
	}
	if *update {
		if err := os.WriteFile(page, want.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the code says: run this test with -update", page)
	}
}

// hasDefault finds what the first paragraph of an option's doc comment says if the option is not given.
var hasDefault = regexp.MustCompile(`\b([Bb]y default|The defaults?|the defaults? (is|are)|It is required)\b`)

// writeOptions writes the options of a package.
func writeOptions(t *testing.T, w *bytes.Buffer, dir string) {
	t.Helper()
	p := parse(t, dir)
	for _, typ := range p.Types {
		var rows []*doc.Func
		for _, f := range typ.Funcs {
			if returnsOnly(f.Decl, typ.Name) && (strings.HasSuffix(typ.Name, "Option") || dir == "heartbeat") {
				rows = append(rows, f)
			}
		}
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n## %s.%s\n\n| option | |\n|---|---|\n", p.Name, typ.Name)
		for _, f := range rows {
			about := firstParagraph(p, f.Doc)
			if strings.HasSuffix(typ.Name, "Option") && !hasDefault.MatchString(about) {
				t.Errorf("%s.%s: the first paragraph says neither what the default is nor that the option is required", p.Name, f.Name)
			}
			fmt.Fprintf(w, "| `%s` | %s |\n", signature(t, f.Decl), strings.ReplaceAll(about, "|", `\|`))
		}
	}
}

// parse reads a package without its tests.
func parse(t *testing.T, dir string) *doc.Package {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no package in %s: %v", dir, err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(set, files, "github.com/gohubkit/hubkit/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func returnsOnly(f *ast.FuncDecl, typ string) bool {
	if f.Type.Results == nil || len(f.Type.Results.List) != 1 {
		return false
	}
	name, ok := f.Type.Results.List[0].Type.(*ast.Ident)
	return ok && name.Name == typ
}

// signature is the call as one would write it, with the types of its arguments.
func signature(t *testing.T, f *ast.FuncDecl) string {
	t.Helper()
	var b bytes.Buffer
	short := *f
	short.Doc, short.Body = nil, nil
	short.Type = &ast.FuncType{Params: f.Type.Params, TypeParams: f.Type.TypeParams}
	if err := format.Node(&b, token.NewFileSet(), &short); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(strings.TrimPrefix(b.String(), "func ")), " ")
}

// firstParagraph is a doc comment's first paragraph in one line.
func firstParagraph(p *doc.Package, text string) string {
	d := p.Parser().Parse(text)
	i := slices.IndexFunc(d.Content, func(b comment.Block) bool { _, ok := b.(*comment.Paragraph); return ok })
	if i < 0 {
		return ""
	}
	first := &comment.Doc{Content: d.Content[i : i+1]}
	printer := p.Printer()
	printer.TextWidth = -1
	printer.TextPrefix = ""
	return strings.Join(strings.Fields(string(printer.Text(first))), " ")
}
