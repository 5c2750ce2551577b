package hub

import (
	"sync"
	"testing"
)

// TestLifecycleMoves: from no state is there a way back, and what has happened stays.
func TestLifecycleMoves(t *testing.T) {
	for from := handshaking; from <= closed; from++ {
		for to := handshaking; to <= closed; to++ {
			var l lifecycle
			l.note(registered | accepted)
			l.moveTo(from)
			before := l.moveTo(to)
			if stateOf(before) != from || l.at() != max(from, to) {
				t.Errorf("from %d to %d: it was %d, and is %d", from, to, stateOf(before), l.at())
			}
			if !l.has(registered) || !l.has(accepted) || l.has(released|left) {
				t.Errorf("from %d to %d: what has happened is %b", from, to, l.bits.Load())
			}
			if l.over() != (l.at() == closed) {
				t.Errorf("in state %d the context is over: %t", l.at(), l.over())
			}
		}
	}
	var l lifecycle
	l.moveTo(open)
	l.note(left)
	if !l.over() || l.at() != open {
		t.Error("a client that has left ends the context, not the connection")
	}
}

// TestLifecycleOnce: of two that meet, one alone has to act, whoever comes first: the teardown is started by the one who
// closes or by the one who registers, and OnDisconnect is told by the teardown or by the one whom OnConnect has answered.
func TestLifecycleOnce(t *testing.T) {
	for range 2000 {
		var l lifecycle
		l.moveTo(open)
		var acts [4]bool
		var wg sync.WaitGroup
		wg.Go(func() { acts[0] = stateOf(l.note(registered)) == closed })
		wg.Go(func() { acts[1] = l.moveTo(closed)&registered != 0 })
		wg.Go(func() { acts[2] = l.note(accepted)&released != 0 })
		wg.Go(func() { acts[3] = l.note(released)&accepted != 0 })
		wg.Wait()
		if acts[0] == acts[1] || acts[2] == acts[3] {
			t.Fatalf("torn down by who registers: %t, by who closes: %t; told by who is answered: %t, by the teardown: %t",
				acts[0], acts[1], acts[2], acts[3])
		}
	}
}
