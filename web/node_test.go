package web_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

// TestNode: the client runs in Node with the package ws, in JSON and in CBOR, with payloads of both kinds, and lets the process
// end when it is closed.
func TestNode(t *testing.T) {
	n := newNodes(t, "a")[0]
	node := testenv.RequireTool(t, "node")
	for _, tt := range []struct{ codec, subprotocol string }{{"json", protocol.Subprotocol}, {"cbor", protocol.SubprotocolCBOR}} {
		out, err := exec.CommandContext(t.Context(), node, "testdata/node.mjs", "ws://"+n.addr+"/ws", tt.codec).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != "1,2,3,4,5,6,7,8,9,10 "+tt.subprotocol {
			t.Errorf("%s: %v, printed %s", tt.codec, err, got)
		}
	}
}
