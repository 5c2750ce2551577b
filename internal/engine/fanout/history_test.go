package fanout

import (
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

func TestMark(t *testing.T) {
	const last = 1<<offsetBits - 1
	var zero Mark
	for _, tt := range []struct {
		name string
		m, n Mark
		want bool
	}{
		{"same", zero.At(5), zero.At(5), false},
		{"next", zero.At(5), zero.At(6), true},
		{"previous", zero.At(6), zero.At(5), false},
		{"event after it", zero.At(5), zero.At(5).event(), false},
		{"event before it", zero.At(5).event(), zero.At(5), false},
		{"event of the next", zero.At(5), zero.At(6).event(), true},
		{"nothing seen", zero, zero.At(1), true},
		{"the last offset", zero.At(last - 1), zero.At(last), true},
		{"restart", zero.At(last).event(), zero.At(last).restart(0), true},
		{"restart at an offset", zero.At(last), zero.restart(7), true},
		{"message after a restart", zero.At(9).restart(3), zero.At(9).restart(3).At(4), true},
		{"old run", zero.restart(0).At(1), zero.At(last), false},
	} {
		if got := tt.m.before(tt.n); got != tt.want {
			t.Errorf("%s: %#x before %#x = %v", tt.name, tt.m, tt.n, got)
		}
	}
	if m := zero.At(last).event(); m.Run() != 0 || m.restart(last).Run() != 1 || m.restart(0).At(last).Run() != 1 {
		t.Error("runs are not counted")
	}
	if zero.At(8).event().At(9) != zero.At(9) {
		t.Error("the bit of an event stays")
	}
}

func mustJoin(t *testing.T, r *Room, m Member, offset uint64) {
	t.Helper()
	if _, ok := r.Join(m, r.Now().At(offset)); !ok {
		t.Fatalf("Join at %d was refused", offset)
	}
}

// TestJoinSkipsWhatWasSeen has members with different positions wait for the same batch.
func TestJoinSkipsWhatWasSeen(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room := r.room()
	m := new(member)
	mustJoin(t, room, m, 0)
	add(room, 1, "1")
	goOn := r.stall(t)
	for i := uint64(2); i <= 4; i++ {
		add(room, i, "%d", i)
	}
	at1, at3, at4, ahead := new(member), new(member), new(member), new(member)
	if _, ok := room.Join(at1, room.Now().At(0)); ok {
		t.Error("joined although a pass has taken the message after")
	}
	mustJoin(t, room, at1, 1)
	mustJoin(t, room, at3, 3)
	mustJoin(t, room, at4, 4)
	mustJoin(t, room, ahead, 6) // the history has more than was delivered here
	for i := uint64(5); i <= 7; i++ {
		add(room, i, "%d", i)
	}
	goOn()
	r.Close()
	expect(t, m, "1", "2", "3", "4", "5", "6", "7")
	expect(t, at1, "2", "3", "4", "5", "6", "7")
	expect(t, at3, "4", "5", "6", "7")
	expect(t, at4, "5", "6", "7")
	expect(t, ahead, "7")
}

// TestEvents has events reach whoever is in the room when they happen, wherever in the history that one is.
func TestEvents(t *testing.T) {
	type step struct {
		offset uint64 // of a message, or
		event  string
		join   uint64 // a member with this position
	}
	for _, tt := range []struct {
		name  string
		steps []step // before the next pass
		first []string
		late  []string // the member that joins
	}{
		{
			"between messages",
			[]step{{event: "a"}, {offset: 2}, {event: "b"}, {join: 2}, {event: "c"}, {offset: 3}, {event: "d"}},
			[]string{"a", "2", "b", "c", "3", "d"},
			// What follows the last message seen comes with it; an event too many does no harm.
			[]string{"b", "c", "3", "d"},
		},
		{
			"for a member that is ahead",
			[]step{{offset: 2}, {join: 5}, {event: "a"}, {offset: 3}, {event: "b"}, {offset: 4}, {offset: 5}, {offset: 6}, {event: "c"}},
			[]string{"2", "a", "3", "b", "4", "5", "6", "c"},
			[]string{"a", "b", "6", "c"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, 1, 100, 1<<20)
			room := r.room()
			first, late := new(member), new(member)
			mustJoin(t, room, first, 0)
			add(room, 1, "1")
			goOn := r.stall(t)
			for _, s := range tt.steps {
				switch {
				case s.join != 0:
					mustJoin(t, room, late, s.join)
				case s.offset != 0:
					add(room, s.offset, "%d", s.offset)
				default:
					add(room, 0, "%s", s.event)
				}
			}
			goOn()
			r.Close()
			expect(t, first, append([]string{"1"}, tt.first...)...)
			expect(t, late, tt.late...)
		})
	}
}

// TestEventBeforeTheFirstMessage is a room whose history is empty.
func TestEventBeforeTheFirstMessage(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	goOn := r.stall(t)
	room, m := r.room(), new(member)
	mustJoin(t, room, m, 0)
	add(room, 0, "event")
	add(room, 1, "1")
	goOn()
	r.Close()
	expect(t, m, "event", "1")
}

func TestRestart(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room := r.room()
	m, old, late := new(member), new(member), new(member)
	mustJoin(t, room, m, 100)
	before := room.Now()
	room.Restart(0)
	if _, ok := room.Join(old, before.At(100)); ok {
		t.Error("joined with a position of before the restart")
	}
	add(room, 0, "gap")
	add(room, 1, "1")
	mustJoin(t, room, late, 1)
	add(room, 2, "2")
	r.Close()
	expect(t, m, "gap", "1", "2")
	expect(t, late, "2")
}

func TestRestartWith(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room := r.room()
	first, at, beyond := new(member), new(member), new(member)
	mustJoin(t, room, first, 5)
	goOn := r.stall(t)
	room.RestartWith(10, func(dst []byte, _ frame.Form) []byte { return append(dst, "gap"...) })
	mustJoin(t, room, at, 10)
	mustJoin(t, room, beyond, 11)
	add(room, 11, "11")
	add(room, 12, "12")
	goOn()
	r.Close()
	expect(t, first, "gap", "11", "12")
	expect(t, at, "gap", "11", "12")
	expect(t, beyond, "12")
}

// TestJoinAfter has nothing sent before first, and nothing missed.
func TestJoinAfter(t *testing.T) {
	r := newRig(t, 2, 100, 1<<20)
	room := r.room()
	for range 200 {
		called := false
		m := new(member)
		m.hook = func(*frame.Batch, int) {
			if !called {
				t.Error("sent before first was called")
			}
		}
		added := make(chan struct{})
		go func() {
			defer close(added)
			add(room, 0, "x")
		}()
		var at Place
		place, ok := room.JoinAfter(m, 0, func(p Place) bool {
			called, at = true, p
			return true
		})
		if !ok || at != place {
			t.Fatalf("refused: %t, or first was told another place", !ok)
		}
		<-added
		room.Leave(m, place)
		place, ok = room.JoinAfter(m, 0, func(Place) bool { return false })
		if n := room.Len(); !ok || place != (Place{}) || n != 0 {
			t.Fatalf("first said no: ok %t, place %v, %d members", ok, place, n)
		}
	}
	refused := r.room()
	refused.Restart(0)
	if _, ok := refused.JoinAfter(new(member), 0, func(Place) bool {
		t.Error("called although the join was refused")
		return false
	}); ok {
		t.Error("joined with a position of before the restart")
	}
}
