package redis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

// stored is message number n of an epoch: its stamp is 10n.
func stored(epoch string, n uint64) message {
	at := mark{epoch, n, 10 * n}
	return message{Message: broker.Message{Data: fmt.Append(nil, epoch, n), Position: at.position()}, at: at, before: 10 * (n - 1)}
}

func at(epoch string, n uint64) mark { return mark{epoch, n, 10 * n} }

func TestAdmit(t *testing.T) {
	newer := stored("a", 4)
	newer.at.stamp = 55
	other := stored("a", 6)
	other.before = 51
	for _, tt := range []struct {
		name   string
		primed bool
		last   mark
		m      message
		want   verdict
	}{
		{"first ever", false, mark{}, stored("a", 9), deliver},
		{"next", true, at("a", 5), stored("a", 6), deliver},
		{"first of a room", true, mark{}, stored("a", 1), deliver},
		{"first of a begun room", true, at("a", 0), stored("a", 1), deliver},
		{"same again", true, at("a", 5), stored("a", 5), drop},
		{"older", true, at("a", 5), stored("a", 2), drop},
		{"hole", true, at("a", 5), stored("a", 7), behind},
		{"hole at the beginning", true, mark{}, stored("a", 2), behind},
		{"another epoch", true, at("a", 5), stored("b", 1), behind},
		{"another epoch, next offset", true, at("a", 5), stored("b", 6), behind},
		{"old offset, newer stamp", true, at("a", 5), newer, behind},
		{"next after another one", true, at("a", 5), other, behind},
	} {
		r := &room{primed: tt.primed, last: tt.last}
		if got := r.admit(&tt.m); got != tt.want || r.lagging != (tt.want == behind) {
			t.Errorf("%s: %v, lagging %v; want %v", tt.name, got, r.lagging, tt.want)
		}
		if tt.want == deliver && r.last != tt.m.at {
			t.Errorf("%s: last is %+v", tt.name, r.last)
		}
	}
}

// lagging is a room that had message 5 when message 8 came.
func lagging() *room {
	r := &room{primed: true, last: at("a", 5)}
	for _, n := range []uint64{8, 9} {
		m := stored("a", n)
		r.admit(&m)
	}
	r.asked = len(r.held)
	return r
}

func told(events []event) string {
	var s strings.Builder
	for _, e := range events {
		if e.gap != nil {
			fmt.Fprintf(&s, "gap %s%d ", e.gap.Epoch, e.gap.Offset)
		}
		for _, m := range e.messages {
			fmt.Fprintf(&s, "%s ", m.Data)
		}
	}
	return strings.TrimSpace(s.String())
}

func TestAdvance(t *testing.T) {
	read := func(epoch string, top uint64, ns ...uint64) *page {
		p := &page{top: at(epoch, top)}
		for _, n := range ns {
			p.messages = append(p.messages, stored(epoch, n))
		}
		return p
	}
	more := read("a", 9, 6)
	more.more = true
	lost := read("a", 20)
	lost.gap = true
	fresh := read("b", 2)
	fresh.gap = true
	for _, tt := range []struct {
		name  string
		p     *page
		late  []uint64 // what comes after the reading
		want  string
		again bool
		last  mark
	}{
		{"what was missing", read("a", 7, 6, 7), nil, "a6 a7 a8 a9", false, at("a", 9)},
		{"all", read("a", 9, 6, 7, 8, 9), nil, "a6 a7 a8 a9", false, at("a", 9)},
		{"a page", more, nil, "a6", true, at("a", 6)},
		{"late ones follow", read("a", 9, 6, 7, 8, 9), []uint64{10, 11}, "a6 a7 a8 a9 a10 a11", false, at("a", 11)},
		{"late ones leave a hole", read("a", 9, 6, 7, 8, 9), []uint64{11}, "a6 a7 a8 a9", true, at("a", 9)},
		{"gap", lost, nil, "gap a20", false, at("a", 20)},
		{"gap, late ones", lost, []uint64{21}, "gap a20 a21", false, at("a", 21)},
		{"another epoch", fresh, nil, "gap b2", false, at("b", 2)},
		{"what came is of a lost time", read("a", 6, 6), nil, "a6", false, at("a", 6)},
	} {
		r := lagging()
		for _, n := range tt.late {
			m := stored("a", n)
			r.admit(&m)
		}
		events, again := r.advance(tt.p)
		if got := told(events); got != tt.want || again != tt.again || r.lagging != again || r.last != tt.last {
			t.Errorf("%s: %q, again %v, lagging %v, last %+v; want %q, %v, %+v", tt.name, got, again, r.lagging, r.last, tt.want, tt.again, tt.last)
		}
		if !again && len(r.held) > 0 {
			t.Errorf("%s: %d messages are still held", tt.name, len(r.held))
		}
	}
}

// What is held is bounded; what is let go comes by reading.
func TestHoldIsBounded(t *testing.T) {
	r := lagging()
	for n := uint64(10); n < 10*maxHeld; n++ {
		m := stored("a", n)
		r.admit(&m)
		if len(r.held) > maxHeld || r.heldBytes > maxHeldBytes {
			t.Fatalf("%d messages held, %d bytes", len(r.held), r.heldBytes)
		}
	}
	big := stored("a", 10*maxHeld)
	big.Data = make([]byte, maxHeldBytes)
	r.admit(&big)
	if len(r.held) != 1 || r.asked != 0 {
		t.Errorf("%d messages held with a big one, of which %d were asked for; want only it", len(r.held), r.asked)
	}
}

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		name      string
		primed    bool
		last, top mark
		want      bool
	}{
		{"first", false, mark{}, at("a", 5), false},
		{"same", true, at("a", 5), at("a", 5), false},
		{"nothing yet", true, mark{}, mark{}, false},
		{"begun", true, mark{}, at("a", 0), false},
		{"newer", true, at("a", 5), at("a", 6), true},
		{"first messages", true, mark{}, at("a", 2), true},
		{"older", true, at("a", 5), at("a", 4), true},
		{"same offset, another message", true, at("a", 5), mark{"a", 5, 49}, true},
		{"lost", true, at("a", 5), mark{}, true},
		{"another epoch", true, at("a", 5), at("b", 5), true},
	} {
		r := &room{primed: tt.primed, last: tt.last, unsure: true}
		if got := r.compare(tt.top); got != tt.want || r.lagging != tt.want || r.unsure {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if !tt.want && r.last != tt.top {
			t.Errorf("%s: last is %+v, want %+v", tt.name, r.last, tt.top)
		}
	}
}
