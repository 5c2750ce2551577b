package hub_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestEveryOptionIsTested fails when an option is added that TestOptions does not know.
func TestEveryOptionIsTested(t *testing.T) {
	cases := optionCases(t)
	found := 0
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || !returnsOption(f) {
				continue
			}
			found++
			if _, ok := cases[f.Name.Name]; !ok {
				t.Errorf("%s: TestOptions has no case for %s", name, f.Name.Name)
			}
		}
	}
	if found != len(cases) {
		t.Errorf("found %d options, TestOptions has %d", found, len(cases))
	}
}

func returnsOption(f *ast.FuncDecl) bool {
	if f.Type.Results == nil || len(f.Type.Results.List) != 1 {
		return false
	}
	id, ok := f.Type.Results.List[0].Type.(*ast.Ident)
	return ok && id.Name == "Option"
}
