package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestMakeTargets: every target that a workflow or CONTRIBUTING.md calls is in the Makefile.
func TestMakeTargets(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	for _, name := range append(files, "../../CONTRIBUTING.md", "../../README.md", "../../.ci/run") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		calls := regexp.MustCompile("(?:run: |`|step |(?m:^))make ([a-z-]+)").FindAllSubmatch(text, -1)
		if len(calls) == 0 {
			t.Errorf("%s calls no target", name)
		}
		for _, call := range calls {
			if !regexp.MustCompile(`(?m)^` + string(call[1]) + `:`).Match(makefile) {
				t.Errorf("%s: the Makefile has no target %s", name, call[1])
			}
		}
	}
}
