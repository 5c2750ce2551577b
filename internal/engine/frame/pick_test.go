package frame

import (
	"bytes"
	"testing"
)

func keyed(opcode byte, messages ...Message) *Batch {
	b := NewBatch(0, new(Source))
	for _, m := range messages {
		m.Opcode = opcode
		b.Add(m, encoding([]byte(m.Key)))
	}
	return b
}

// TestPick: what is picked is what it was, in memory of its own and no more than it needs.
func TestPick(t *testing.T) {
	b := keyed(Text, Message{Seq: 2, Key: "a"}, Message{Seq: 3, Class: Event}, Message{Seq: 4, Key: "ccc"}, Message{Seq: 5, Class: Notice})
	for _, all := range []*Batch{b, b.Deflated(newDeflater(t), 1)} {
		p := all.Pick(func(i int) bool { return i == 1 || i == 2 })
		if p.Len() != 2 || p.Seq(0) != 3 || p.Seq(1) != 4 || p.Class(0) != Event || p.Class(1) != Plain || p.Source() != b.Source() {
			t.Errorf("picked %+v", p)
		}
		if want := all.Slice(all.Start(1), all.Start(3)); !bytes.Equal(p.Wire(0), want) || p.Held() != len(want) {
			t.Errorf("%q in %d bytes, want %q", p.Wire(0), p.Held(), want)
		}
		all.Slice(all.Start(1), all.Start(2))[0] ^= 1
		if bytes.Equal(p.Wire(0), all.Slice(all.Start(1), all.Start(3))) {
			t.Error("the memory is shared")
		}
		all.Slice(all.Start(1), all.Start(2))[0] ^= 1
		if none := all.Pick(func(int) bool { return false }); none.Len() != 0 || none.Size() != 0 {
			t.Errorf("picked nothing, got %+v", none)
		}
	}
}

// TestNewer: a message is out of date where a later one has its key, in its own batch or in a later one.
func TestNewer(t *testing.T) {
	old := keyed(Text, Message{Key: "a"}, Message{Key: "b"}, Message{}, Message{Key: "a"}, Message{Key: "c", Class: Event})
	for _, tt := range []struct {
		batch *Batch
		want  [5]bool
	}{
		{old, [5]bool{0: true}},
		{keyed(Text, Message{Key: "b"}), [5]bool{1: true}},
		{keyed(Text, Message{}), [5]bool{2: true}},
		{keyed(Text, Message{Key: "b", Class: Event}), [5]bool{}},
		{keyed(Text, Message{Key: "a"}, Message{Key: "x"}, Message{Key: "a"}, Message{}), [5]bool{true, false, true, true}},
	} {
		for _, b := range []*Batch{tt.batch, tt.batch.Deflated(newDeflater(t), 1)} {
			from := old
			if tt.batch == old {
				from = b
			}
			for i := range tt.want[:4] {
				if got := b.Newer(from, i); got != tt.want[i] {
					t.Errorf("message %d, newer in %q: %v", i, tt.batch.Wire(0), got)
				}
			}
		}
	}
}
