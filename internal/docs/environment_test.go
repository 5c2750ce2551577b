package docs

import (
	"go/ast"
	"go/constant"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const environmentPage = "../../docs/reference/environment.md"

// unshipped are the folders whose programs are not for users.
var unshipped = []string{"bench", "examples", "internal/testenv", "internal/browser", "docs", "deploy", "web"}

// own are variables by which a program of hubkit talks to its own processes.
var own = map[string]bool{"WorkerEnv": true}

// elsewhere are variables that the standard library reads, for a function that hubkit calls.
var elsewhere = map[string]string{
	"HTTP_PROXY": "http.ProxyFromEnvironment", "HTTPS_PROXY": "http.ProxyFromEnvironment", "NO_PROXY": "http.ProxyFromEnvironment",
}

// TestEnvironmentPage: docs/reference/environment.md has every variable that the code reads, and every setting of HUBKIT_DEBUG. It
// names no other.
func TestEnvironmentPage(t *testing.T) {
	read, calls := variables(t)
	for name, by := range elsewhere {
		if calls[by] {
			read[name] = true
		}
	}
	compare(t, "variable", read, firstCells(t, environmentPage, "## Variables"))
	settings := make(map[string]bool)
	for _, path := range elements(t, newValues(t).find("internal/engine/fastpath", "paths")) {
		settings[constant.StringVal(constant.MakeFromLiteral(source(path), token.STRING, 0))+"=0"] = true
	}
	compare(t, "setting", settings, firstCells(t, environmentPage, "## Settings of HUBKIT_DEBUG"))
	for name := range firstCells(t, environmentPage, "## Variables of Go") {
		if !strings.HasPrefix(name, "GO") {
			t.Errorf("%s is no variable of Go", name)
		}
	}
}

// compare reports what the code has and the page lacks, and the other way round.
func compare(t *testing.T, what string, code, page map[string]bool) {
	t.Helper()
	if len(code) == 0 {
		t.Errorf("no %s was found in the code", what)
	}
	for name := range code {
		if !page[name] {
			t.Errorf("the page lacks the %s %s", what, name)
		}
	}
	for name := range page {
		if !code[name] {
			t.Errorf("the page has the %s %s, which does not exist", what, name)
		}
	}
}

// firstCells are the code spans in the first column of the tables under a heading.
func firstCells(t *testing.T, page, heading string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, row := range table(t, page, heading) {
		for name := range backquoted(row[0]) {
			names[name] = true
		}
	}
	return names
}

// variables are those that shipped code reads from the environment, and the functions that it calls or passes on as package.Name.
func variables(t *testing.T) (names, used map[string]bool) {
	t.Helper()
	names, used = make(map[string]bool), make(map[string]bool)
	v := newValues(t)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		dir, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		if slices.Contains(unshipped, dir) {
			return filepath.SkipDir
		}
		if base := d.Name(); base == "node_modules" || base == "testdata" || strings.HasPrefix(base, ".") && base != ".." {
			return filepath.SkipDir
		}
		if found, err := filepath.Glob(filepath.Join(path, "*.go")); err != nil || len(found) == 0 {
			return err
		}
		for _, f := range v.packageOf(dir) {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					used[source(n)] = true
				case *ast.CallExpr:
					if name := source(n.Fun); name == "os.Getenv" || name == "os.LookupEnv" || name == "env" {
						if name, ok := v.variable(dir, n.Args[0]); ok {
							names[name] = true
						}
					}
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, used
}

// variable is the name that a call reads; false if it is a variable between processes of hubkit.
func (v *values) variable(dir string, x ast.Expr) (string, bool) {
	v.t.Helper()
	if sel, ok := x.(*ast.SelectorExpr); ok && own[sel.Sel.Name] {
		return "", false
	}
	return constant.StringVal(v.eval(dir, x)), true
}

// elements are the first fields of the literals in a literal.
func elements(t *testing.T, x ast.Expr) (first []ast.Expr) {
	t.Helper()
	lit, ok := x.(*ast.CompositeLit)
	if !ok {
		t.Fatal("it is no literal")
	}
	for _, e := range lit.Elts {
		first = append(first, e.(*ast.CompositeLit).Elts[0])
	}
	return first
}
