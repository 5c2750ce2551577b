package deps

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNotice: NOTICE names every module whose code is in a program built with a released module, and no other. The sections of the
// modules below the root name what they add to the first.
func TestNotice(t *testing.T) {
	text, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^(?:A program .*|\S+ )contains? .*:$|^A program built .*$`).Split(string(text), -1)[1:]
	root := modules(t, ".", "./hub", "./client", "./broker/redis", "./dash", "./preflight")
	for i, m := range []struct{ dir, packages string }{
		{".", ""}, {"metrics/prometheus", "."}, {"otel", "."}, {"cmd/hubload", "."},
	} {
		if i == len(sections) {
			t.Fatalf("NOTICE has %d sections", len(sections))
		}
		used := root
		if m.packages != "" {
			used = slices.DeleteFunc(modules(t, m.dir, m.packages), func(path string) bool { return slices.Contains(root, path) })
		}
		var named []string
		for _, line := range regexp.MustCompile(`(?m)^((?:[a-z0-9-]+\.)+[a-z]+/\S+) +(?:MIT|BSD-\d-Clause|Apache-2\.0|Unlicense) +\S+`).FindAllStringSubmatch(sections[i], -1) {
			named = append(named, line[1])
		}
		if !slices.Equal(named, used) {
			t.Errorf("NOTICE names for module %s %q, and programs have %q", m.dir, named, used)
		}
	}
}

// modules are those of others whose code is in a program with packages of the module in a folder.
func modules(t *testing.T, dir string, packages ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}"}, packages...)...)
	cmd.Dir = filepath.Join("..", "..", dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	used := slices.Compact(slices.Sorted(strings.FieldsSeq(string(out))))
	return slices.DeleteFunc(used, func(path string) bool { return path == module || strings.HasPrefix(path, module+"/") })
}
