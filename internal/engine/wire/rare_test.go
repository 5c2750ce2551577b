package wire

import (
	"bufio"
	"math/bits"
	"testing"
	"unsafe"
)

// TestSizes: a million connections have a Writer each. A backlog and a slow are in the allocator's class of 128 bytes.
func TestSizes(t *testing.T) {
	if bits.UintSize != 64 {
		return
	}
	if size := unsafe.Sizeof(Writer{}); size != 80 {
		t.Errorf("a Writer has %d bytes, want 80", size)
	}
	if size := unsafe.Sizeof(backlog{}); size > 128 {
		t.Errorf("a backlog has %d bytes, want at most 128", size)
	}
	if size := unsafe.Sizeof(slow{}); size > 128 {
		t.Errorf("a slow has %d bytes, want at most 128", size)
	}
}

// holds checks what a Writer has besides its fields.
func (r *rig) holds(t *testing.T, when string, backlog, slow bool) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.backlog() != nil != backlog || r.slow() != nil != slow || r.rare != nil != (backlog || slow) {
		t.Errorf("%s: a backlog %v, a slow %v, either %v, want %v, %v", when, r.backlog() != nil, r.slow() != nil, r.rare != nil,
			backlog, slow)
	}
}

// TestSlowIsMadeWhileSomethingWaits: the backlog stays where it is, and ends without the slow.
func TestSlowIsMadeWhileSomethingWaits(t *testing.T) {
	r := stalledRig(t, 2, 1<<20)
	r.holds(t, "before a loss", true, false)
	rooms, seq := make(sources), uint64(0)
	for _, m := range []string{"a", "b"} {
		if _, _, err := r.Send(rooms.batch("oldest", &seq, m), 0); err != nil {
			t.Fatal(err)
		}
	}
	r.holds(t, "after a loss", true, true)
	expectFrames(t, bufio.NewReader(r.peer), "head", "b")
	if err := r.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "when nothing waits", false, true)
	r.one(t, "c") // to a pipe, which takes nothing at once
	expectFrames(t, bufio.NewReader(r.peer), "c")
	if err := r.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "after the next backlog", false, true)
	if s := r.Stats(); s.Dropped != 1 || s.Messages != 0 || s.SentMessages != 3 {
		t.Errorf("%+v", s)
	}
	r.notFailed(t)
}

// TestSlowIsMadeWhileFramesGather: what gathers is sent, and the Writer that gathers next has nothing of this one.
func TestSlowIsMadeWhileFramesGather(t *testing.T) {
	shown := 0
	tap := &Tap{Sent: func([]byte) { shown++ }}
	r, other := newRig(t, generous, tcpPair), newRig(t, generous, tcpPair)
	r.Gather()
	r.one(t, "a")
	r.holds(t, "before Tap", true, false)
	r.Tap(tap)
	r.holds(t, "after Tap", true, true)
	r.one(t, "b")
	r.mu.Lock()
	if r.backlog().rare.slow != nil {
		t.Error("the backlog, which another Writer gets, has the slow")
	}
	r.mu.Unlock()
	r.Release()
	r.wants(t, "a", "b")
	if err := r.Drained(t.Context()); err != nil { // not every system writes at once
		t.Fatal(err)
	}
	r.holds(t, "after Release", false, true)

	other.Gather()
	other.one(t, "c")
	other.holds(t, "another Writer that gathers", true, false)
	r.Gather()
	r.one(t, "d")
	r.Untap(tap)
	r.Release()
	other.Release()
	r.wants(t, "d")
	other.wants(t, "c")
	if err := other.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.holds(t, "another Writer", false, false)
	if shown != 2 {
		t.Errorf("%d frames shown, want 2", shown)
	}
}
