package testenv

import (
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
)

func TestRequireTool(t *testing.T) {
	if path := RequireTool(t, "go"); !strings.HasSuffix(path, "go") {
		t.Errorf("RequireTool(go) = %q", path)
	}
}

func TestMissingTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	tests := []struct {
		tool, pkg string
		err       error
	}{
		{"node", "nodejs", exec.ErrNotFound},
		{"no-such-program", "no-such-program", exec.ErrNotFound},
		{"/nonexistent/node", "/nonexistent/node", fs.ErrNotExist},
	}
	for _, tt := range tests {
		_, err := findTool(tt.tool)
		if !errors.Is(err, tt.err) {
			t.Errorf("findTool(%s): %v, want %v", tt.tool, err, tt.err)
			continue
		}
		for _, want := range []string{tt.tool, "package " + tt.pkg, "make deps"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("findTool(%s): %q does not mention %q", tt.tool, err, want)
			}
		}
	}
}
