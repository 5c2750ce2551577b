package hub_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
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

func TestOptions(t *testing.T) {
	for name, c := range optionCases(t) {
		t.Run(name, func(t *testing.T) {
			for i, opts := range c.good {
				h, err := hub.New(append(one(hub.WithLogger(slog.New(slog.DiscardHandler))), opts...)...)
				if err != nil {
					t.Errorf("good %d: %v", i, err)
					continue
				}
				if err := h.Close(); err != nil {
					t.Errorf("good %d: Close: %v", i, err)
				}
			}
			for want, opts := range c.bad {
				h, err := hub.New(opts...)
				if err == nil {
					t.Errorf("bad: accepted, want a complaint with %q", want)
					_ = h.Close()
				} else if !strings.Contains(err.Error(), want) {
					t.Errorf("bad: %q does not contain %q", err, want)
				}
			}
		})
	}
}

func perUserCase(f func(int, hub.OnExcess) hub.Option, name string) optionCase {
	return optionCase{
		good: [][]hub.Option{{f(1, hub.RefuseNew)}, {f(1e9, hub.CloseOldest)}},
		bad: map[string][]hub.Option{
			name + ": 0":                  {f(0, hub.RefuseNew)},
			name + ": -1":                 {f(-1, hub.CloseOldest)},
			name + ": unknown OnExcess 7": {f(1, 7)},
		},
	}
}
