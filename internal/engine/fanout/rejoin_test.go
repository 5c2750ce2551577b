package fanout

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
)

// TestRejoinWithinPass has a member leave a chunk that a pass has been to, and join one that it has not: it is not
// sent the messages of that pass twice.
func TestRejoinWithinPass(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	r.Close() // so that the test does the worker's part
	room := r.room()
	fill := func(n int) {
		for range n {
			join(t, room, new(member))
		}
	}
	m := new(member)
	place := join(t, room, m)
	fill(chunkSize) // m's chunk, and one into the next

	pass := func(between func()) {
		p := room.begin()
		for i, c := range p.chunks {
			var sent tally
			c.send(p, nil, &sent)
			if i == 0 {
				between()
			}
		}
		room.end()
	}
	add(room, 0, "one")
	pass(func() {
		room.Leave(m, place)
		fill(1) // where m was
		if _, ok := room.Join(m, 0); !ok {
			t.Fatal("Join was refused")
		}
	})
	add(room, 0, "two")
	pass(func() {})
	if want := []string{"one", "two"}; !slices.Equal(m.got(), want) {
		t.Errorf("got %q, want %q", m.got(), want)
	}
}

// TestReadyAfterClose: nobody takes from a full queue any more, and who waits for that is told so.
func TestReadyAfterClose(t *testing.T) {
	r := newRig(t, 1, 1, 1<<20)
	room := r.room()
	join(t, room, new(member))
	r.Close()
	add(room, 0, "for nobody")
	if err := room.Ready(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}
