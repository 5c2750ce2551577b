package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// Implementation is a WebSocket client that others wrote.
type Implementation struct {
	// Name is good for the name of a subtest.
	Name  string
	start func(t testing.TB) *Peer
}

// Implementations lists the clients to run a scenario over.
func Implementations() []Implementation {
	return []Implementation{
		{Name: "node-ws", start: startNode},
		{Name: "python-websockets", start: startPython},
	}
}

// Start starts a peer. The test fails when what the peer runs on is not installed. The peer ends with the
// test.
func (i Implementation) Start(t testing.TB) *Peer {
	t.Helper()
	return i.start(t)
}

func startNode(t testing.TB) *Peer {
	t.Helper()
	node := testenv.RequireTool(t, "node")
	if _, err := os.Stat(testdata("node_modules", "ws")); err != nil {
		t.Fatalf("this test needs the npm package ws: run \"make deps\": %v", err)
	}
	return startPeer(t, node, testdata("ws_client.mjs"))
}

// startPython takes Debian's Python: the first in PATH may be another, without Debian's packages.
func startPython(t testing.TB) *Peer {
	t.Helper()
	python := testenv.RequireTool(t, "/usr/bin/python3")
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import websockets").CombinedOutput(); err != nil {
		t.Fatalf("this test needs the Debian package python3-websockets: run \"make deps\" as root: %v\n%s", err, out)
	}
	return startPeer(t, python, testdata("websockets_client.py"))
}

// testdata finds the scripts from the tests of any package.
func testdata(elem ...string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "testdata"}, elem...)...)
}
