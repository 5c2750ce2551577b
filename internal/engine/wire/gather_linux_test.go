package wire

import (
	"io"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// TestGatherInFullSocket: what the socket does not take waits for it in the backlog.
func TestGatherInFullSocket(t *testing.T) {
	r := newRig(t, generous, unixPair)
	stuffed := 0
	if err := r.Use(func(fd int) error {
		for junk := make([]byte, 1000); ; {
			n, err := sock.Send(fd, junk)
			if stuffed += n; n < len(junk) {
				return err
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	r.Gather()
	r.one(t, "a")
	r.one(t, "b")
	r.Release()
	if messages, _ := r.Backlog(); messages == 0 {
		t.Error("nothing waits for a full socket")
	}
	r.Gather() // does nothing now
	r.one(t, "c")
	if _, err := io.CopyN(io.Discard, r.peer, int64(stuffed)); err != nil {
		t.Fatal(err)
	}
	r.wants(t, "a", "b", "c")
	r.notFailed(t)
}
