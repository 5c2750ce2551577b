package web_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// TestNode: the client runs in Node with the package ws, and lets the process end when it is closed.
func TestNode(t *testing.T) {
	n := newNodes(t, "a")[0]
	out, err := exec.CommandContext(t.Context(), testenv.RequireTool(t, "node"), "testdata/node.mjs", "ws://"+n.addr+"/ws").CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "1,2,3,4,5,6,7,8,9,10" {
		t.Errorf("%v, printed %s", err, got)
	}
}
