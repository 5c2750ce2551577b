package frame

import (
	"bytes"
	"testing"
)

func keyed(opcode byte, messages ...Message) *Batch {
	b := NewBatch(0, new(Source), 0)
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

// named is a receiver that is excepted by its name.
type named string

func (n named) Excepted(who any) bool { return who == string(n) }

// TestFor: a receiver is sent what is for it, and in place of the rest what stands for that. Others share the batch.
func TestFor(t *testing.T) {
	instead := func(s string) []byte { return Append(nil, Text, []byte(s)) }
	plain := keyed(Text, Message{Seq: 2, Key: "a"}, Message{Seq: 4, Key: "b"})
	if plain.Excepting() {
		t.Error("a batch for all excepts somebody")
	}
	if b, from := plain.For(named("x"), 1); b != plain || from != 1 {
		t.Errorf("of a batch for all: %+v from %d", b, from)
	}
	b := keyed(Text, Message{Seq: 2, Key: "a"}, Message{Seq: 4, Key: "b", Except: &Except{Who: "x", Instead: instead("-")}},
		Message{Seq: 5, Key: "e", Class: Event}, Message{Seq: 6, Key: "c", Except: &Except{Who: "x"}},
		Message{Seq: 8, Key: "d", Except: &Except{Who: "y", Instead: instead("+")}}, Message{Seq: 10, Key: "f"})
	if !b.Excepting() {
		t.Fatal("nobody is excepted")
	}
	for _, tt := range []struct {
		who     named
		from    int
		want    string // the payloads; the batch itself if empty
		classes []Class
		seqs    []uint64
	}{
		{"x", 0, "a-edf", []Class{Plain, Skip, Event, Plain, Plain}, []uint64{2, 4, 5, 8, 10}},
		{"x", 2, "edf", []Class{Event, Plain, Plain}, []uint64{5, 8, 10}},
		{"x", 4, "", nil, nil},
		{"y", 0, "abec+f", []Class{Plain, Plain, Event, Plain, Skip, Plain}, []uint64{2, 4, 5, 6, 8, 10}},
		{"z", 0, "", nil, nil},
	} {
		got, from := b.For(tt.who, tt.from)
		if tt.want == "" {
			if got != b || from != tt.from {
				t.Errorf("%s from %d: another batch, from %d", tt.who, tt.from, from)
			}
			continue
		}
		var payloads []byte
		for rest := got.Wire(from); len(rest) > 0; {
			var p []byte
			_, p, rest = Cut(rest)
			payloads = append(payloads, p...)
		}
		if from != 0 || string(payloads) != tt.want || got.Source() != b.Source() || got.Len() != len(tt.seqs) {
			t.Fatalf("%s from %d: %q from %d, want %q", tt.who, tt.from, payloads, from, tt.want)
		}
		for i := range got.Len() {
			if got.Class(i) != tt.classes[i] || got.Seq(i) != tt.seqs[i] {
				t.Errorf("%s from %d, message %d: class %d at %d", tt.who, tt.from, i, got.Class(i), got.Seq(i))
			}
		}
		if plain, events := got.Count(0, got.Len()); plain+events != got.Len()-bytes.Count(payloads, []byte("-"))-bytes.Count(payloads, []byte("+")) || events != 1 {
			t.Errorf("%s: %d plain messages and %d events", tt.who, plain, events)
		}
	}
	only := keyed(Text, Message{Key: "a", Except: &Except{Who: "x"}})
	if got, _ := only.For(named("x"), 0); got.Len() != 0 || got.Size() != 0 {
		t.Errorf("nothing is left, got %q", got.Wire(0))
	}
	only.Reset(nil)
	if only.Excepting() {
		t.Error("a batch made anew excepts somebody")
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
