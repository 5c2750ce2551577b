package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaultsAreTested finds every test that docs/faults.md names.
func TestFaultsAreTested(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]map[string]bool) // by folder
	named := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9_]*)`").FindAllStringSubmatch(string(text), -1)
	for _, m := range named {
		dir, name := m[1], m[2]
		if found[dir] == nil {
			found[dir] = testsIn(t, filepath.Join("..", "..", filepath.FromSlash(dir)))
		}
		if !found[dir][name] {
			t.Errorf("there is no test %s in %s", name, dir)
		}
	}
	if len(named) < 20 {
		t.Errorf("only %d tests are named: is the table still there?", len(named))
	}
	// What is in the column of tests is such a name, or was not looked for.
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) == 5 && !strings.HasPrefix(line, "|---") && !strings.HasPrefix(line, "| fault") && !strings.Contains(cells[3], ".Test") {
			t.Errorf("no test causes this fault: %s", line)
		}
	}
}

// testsIn lists the tests of a folder, under every build tag.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	tests := make(map[string]bool)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[f.Name.Name] = true
			}
		}
	}
	return tests
}

// TestServersHaveHeaderTimeouts: what is there to be copied is not open to requests that come byte by byte.
func TestServersHaveHeaderTimeouts(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(append(files, documents(t)...), "../../hub/doc.go")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if strings.Contains(string(text), "http.ListenAndServe") {
			t.Errorf("%s: http.ListenAndServe has no ReadHeaderTimeout", name)
		}
		servers, timeouts := strings.Count(string(text), "http.Server{"), strings.Count(string(text), "ReadHeaderTimeout:")
		if servers != timeouts {
			t.Errorf("%s: %d http.Servers with %d ReadHeaderTimeouts", name, servers, timeouts)
		}
	}
}
