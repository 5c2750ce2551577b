package hub_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestDeclarationsShowNoInternalPackage: what go doc prints of an exported name can be read without the packages that nobody
// else can import.
func TestDeclarationsShowNoInternalPackage(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		internal := internalImports(t, f)
		for _, shown := range exportedParts(f) {
			declared++
			ast.Inspect(shown, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if pkg, ok := sel.X.(*ast.Ident); ok && internal[pkg.Name] != "" {
					t.Errorf("%s: an exported declaration refers to %s.%s of %s", fset.Position(sel.Pos()), pkg.Name, sel.Sel.Name, internal[pkg.Name])
				}
				return true
			})
		}
	}
	if declared < 100 {
		t.Fatalf("only %d exported declarations were found", declared)
	}
}

// internalImports are a file's imports of internal packages, by the names that they have there.
func internalImports(t *testing.T, f *ast.File) map[string]string {
	t.Helper()
	internal := make(map[string]string)
	for _, imp := range f.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p, "/internal/") {
			continue
		}
		name := path.Base(p)
		if imp.Name != nil {
			name = imp.Name.Name
		}
		internal[name] = p
	}
	return internal
}

// exportedParts are the parts of a file's declarations that go doc prints: of variables, constants and types the whole, less
// fields and methods that are not exported; of functions the signature.
func exportedParts(f *ast.File) (parts []ast.Node) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
				parts = append(parts, d.Type)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					if exportedAny(s.Names) {
						parts = append(parts, s)
					}
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						parts = append(parts, exportedType(s.Type)...)
					}
				}
			}
		}
	}
	return parts
}

func exportedAny(names []*ast.Ident) bool {
	for _, n := range names {
		if n.IsExported() {
			return true
		}
	}
	return false
}

func exportedReceiver(recv *ast.FieldList) bool {
	t := recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

// exportedType is a type without the fields of a struct that are not exported.
func exportedType(t ast.Expr) (parts []ast.Node) {
	st, ok := t.(*ast.StructType)
	if !ok {
		return []ast.Node{t}
	}
	for _, field := range st.Fields.List {
		if len(field.Names) == 0 || exportedAny(field.Names) {
			parts = append(parts, field.Type)
		}
	}
	return parts
}
