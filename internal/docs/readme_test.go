package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReadmeCompiles builds and vets every Go program in the README.
func TestReadmeCompiles(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("the README has no Go program")
	}
	for i, b := range blocks {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			t.Parallel()
			if !strings.HasPrefix(b[1], "package main\n") {
				t.Fatalf("not a whole program:\n%s", b[1])
			}
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(b[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"vet", file}, {"build", "-o", os.DevNull, file}} {
				cmd := exec.CommandContext(t.Context(), "go", args...)
				cmd.Dir = root
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("go %s: %v\n%s", args[0], err, out)
				}
			}
		})
	}
}

// TestReadmeLinks finds every file that the project's documents link to.
func TestReadmeLinks(t *testing.T) {
	for _, name := range []string{"README.md", "DESIGN.md", "PROTOCOL.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/cluster/README.md"} {
		name = filepath.Join("..", "..", name)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}
