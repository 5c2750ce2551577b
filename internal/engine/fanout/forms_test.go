package fanout

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

const (
	textForm   frame.Form = 0x10 | frame.Text
	binaryForm frame.Form = 0x20 | frame.Binary
)

// addFormed adds a message that says in which form it is, and counts how often it is written.
func addFormed(r *Room, offset uint64, written map[frame.Form]int, what string) {
	r.Add(0, offset, "", func(dst []byte, f frame.Form) []byte {
		written[f]++
		return fmt.Appendf(dst, "%s/%x", what, byte(f))
	})
}

func inForm(f frame.Form, all ...string) (out []string) {
	for _, s := range all {
		out = append(out, fmt.Sprintf("%s/%x", s, byte(f)))
	}
	return out
}

// TestFormsInUse: a message is written once for each form that a member speaks, and for no other.
func TestFormsInUse(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room, written := r.room(), map[frame.Form]int{}
	add := func(what string) {
		t.Helper()
		addFormed(room, 0, written, what)
		if err := room.Sent(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	texts := []*member{{form: textForm}, {form: textForm}}
	binaries := []*member{{form: binaryForm}, {form: binaryForm}}
	places := make(map[*member]Place)
	for _, m := range slices.Concat(texts, binaries[:1]) {
		places[m] = join(t, room, m)
	}
	add("a")
	places[binaries[1]] = join(t, room, binaries[1])
	add("b")
	for _, m := range binaries {
		room.Leave(m, places[m])
	}
	add("c")
	for _, m := range texts {
		room.Leave(m, places[m])
	}
	add("d")
	if written[textForm] != 3 || written[binaryForm] != 2 {
		t.Errorf("written %v", written)
	}
	r.Close()
}

// TestFormsLacks: who speaks a form in which messages that wait are not written is refused a place, unless it has them
// from the history. From then on messages are written in its form too, and its next try succeeds.
func TestFormsLacks(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room, written := r.room(), map[frame.Form]int{}
	m := &member{form: textForm}
	mustJoin(t, room, m, 0)
	goOn := r.stall(t)
	addFormed(room, 1, written, "1")
	addFormed(room, 2, written, "2")
	late, early, other := &member{form: binaryForm}, &member{form: binaryForm}, &member{form: textForm}
	for _, since := range []uint64{0, 1} {
		if _, ok := room.Join(early, room.Now().At(since)); ok {
			t.Fatalf("joined at %d, but what waits behind it is not in its form", since)
		}
	}
	addFormed(room, 3, written, "3")
	addFormed(room, 4, written, "4")
	mustJoin(t, room, early, 2)
	mustJoin(t, room, late, 3)
	mustJoin(t, room, other, 1)
	addFormed(room, 5, written, "5")
	goOn()
	r.Close()
	expect(t, m, inForm(textForm, "1", "2", "3", "4", "5")...)
	expect(t, other, inForm(textForm, "2", "3", "4", "5")...)
	expect(t, early, inForm(binaryForm, "3", "4", "5")...)
	expect(t, late, inForm(binaryForm, "4", "5")...)
	if written[textForm] != 5 || written[binaryForm] != 3 {
		t.Errorf("written %v", written)
	}
}

// TestFormsWithoutHistory: a newcomer has no claim to what was added before it came, and gets all that follows, in order. What
// waits in several batches is bounded and counted as if it were in one.
func TestFormsWithoutHistory(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room, written := r.room(), map[frame.Form]int{}
	m, n := &member{form: textForm}, &member{form: binaryForm}
	join(t, room, m)
	goOn := r.stall(t)
	addFormed(room, 0, written, "a")
	addFormed(room, 0, written, "b")
	p := join(t, room, n)
	addFormed(room, 0, written, "c")
	room.Leave(n, p)
	join(t, room, n)
	addFormed(room, 0, written, "d")
	room.mu.Lock()
	if room.messages != 4 || len(room.earlier) == 0 {
		t.Errorf("%d messages wait, %d batches before the last", room.messages, len(room.earlier))
	}
	room.mu.Unlock()
	goOn()
	r.Close()
	expect(t, m, inForm(textForm, "a", "b", "c", "d")...)
	if got, want := n.got(), inForm(binaryForm, "d"); !slices.Equal(got[len(got)-1:], want) || slices.Contains(got, "a/22") || slices.Contains(got, "b/22") {
		t.Errorf("the newcomer got %q", got)
	}
	if room.messages != 0 || room.bytes != 0 {
		t.Errorf("%d messages and %d bytes are left", room.messages, room.bytes)
	}
}

// TestFormsGivenUp: the room does not write for ever in the form of somebody who was refused and never came back.
func TestFormsGivenUp(t *testing.T) {
	r := newRig(t, 1, 1000, 1<<20)
	room, written := r.room(), map[frame.Form]int{}
	m := &member{form: textForm}
	mustJoin(t, room, m, 0)
	goOn := r.stall(t)
	addFormed(room, 1, written, "x")
	if _, ok := room.Join(&member{form: binaryForm}, room.Now().At(0)); ok {
		t.Fatal("joined without the first message")
	}
	goOn()
	for i := uint64(2); i < 3*patience; i++ {
		addFormed(room, i, written, "x")
		if err := room.Sent(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := written[binaryForm]; n == 0 || n > patience+1 {
		t.Errorf("%d messages are written for nobody", n)
	}
	r.Close()
}
