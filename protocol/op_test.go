package protocol_test

import (
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

// Every op is read back as what it is written as, by the side it is meant for and by no other.
func TestOps(t *testing.T) {
	const last = protocol.OpGoAway
	for op := protocol.OpUnknown; op <= last+1; op++ {
		frame := []byte(`{"op":"` + op.String() + `","id":1,"room":"r","method":"m","token":"t","data":1}`)

		var q protocol.Request
		err := q.Decode(frame)
		if (err == nil) != op.Request() {
			t.Errorf("%s: Request.Decode = %v, but Request() = %t", op, err, op.Request())
		}
		if want := pick(op.Request(), op); q.Op != want {
			t.Errorf("%s: request read as %s", op, q.Op)
		}

		var e protocol.Event
		if err := e.Decode(frame); err != nil {
			t.Errorf("%s: Event.Decode = %v", op, err)
		}
		if want := pick(op.Event(), op); e.Op != want {
			t.Errorf("%s: event read as %s", op, e.Op)
		}

		known := op != protocol.OpUnknown && op <= last
		if got := op.Request() || op.Event(); got != known {
			t.Errorf("%s (%d) belongs to a side: %t, want %t", op, op, got, known)
		}
		if got := op.String() != "unknown"; got != known {
			t.Errorf("op %d has a name: %t, want %t", op, got, known)
		}
	}
}

func pick(ok bool, op protocol.Op) protocol.Op {
	if ok {
		return op
	}
	return protocol.OpUnknown
}
