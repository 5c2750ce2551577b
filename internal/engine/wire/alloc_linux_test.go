package wire

import (
	"io"
	"testing"
)

func TestDirectSendDoesNotAllocate(t *testing.T) {
	r := newRig(t, generous, tcpPair)
	b, one := r.batchOf("hello", "world"), oneFrame("hi")
	buf := make([]byte, b.Size()+len(one))
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := r.Send(b, 0); err != nil {
			t.Error(err)
		}
		if err := r.SendOne(one); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(r.peer, buf); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
