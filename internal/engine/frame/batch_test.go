package frame

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBatch(t *testing.T) {
	b := NewBatch(16, new(Source), 0)
	if b.Len() != 0 || b.Size() != 0 || b.Last() != 0 || b.After(0) != 0 || b.Remaining(0) != 0 || b.Source() == nil {
		t.Fatal("a new batch is not empty")
	}
	for i, s := range []string{"one", "", "three"} {
		b.Add(Message{Opcode: Text, Seq: uint64(10 * (i + 1))}, encoding([]byte(s)))
	}
	// Frames of 5, 2 and 7 bytes.
	if got := string(b.Wire(0)); got != "\x81\x03one\x81\x00\x81\x05three" {
		t.Fatalf("Wire(0) = %q", got)
	}
	if b.Len() != 3 || b.Size() != 14 || b.Last() != 30 {
		t.Fatalf("Len, Size, Last = %d, %d, %d", b.Len(), b.Size(), b.Last())
	}
	for _, tt := range []struct {
		from int
		want string
	}{
		{-1, "\x81\x03one\x81\x00\x81\x05three"}, {1, "\x81\x00\x81\x05three"}, {2, "\x81\x05three"}, {3, ""},
	} {
		if got := string(b.Wire(tt.from)); got != tt.want {
			t.Errorf("Wire(%d) = %q, want %q", tt.from, got, tt.want)
		}
	}
	for n, want := range []int{3, 3, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0} {
		if got := b.Remaining(n); got != want {
			t.Errorf("Remaining(%d) = %d, want %d", n, got, want)
		}
	}
	for _, tt := range []struct {
		seq  uint64
		want int
	}{{0, 0}, {9, 0}, {10, 1}, {11, 1}, {20, 2}, {29, 2}, {30, 3}, {31, 3}} {
		if got := b.After(tt.seq); got != tt.want {
			t.Errorf("After(%d) = %d, want %d", tt.seq, got, tt.want)
		}
	}
}

func TestBatchWithoutOrder(t *testing.T) {
	b := NewBatch(0, new(Source), 0)
	b.Add(Message{Opcode: Text, Seq: 0}, encoding(nil))
	b.Add(Message{Opcode: Text, Seq: 0}, encoding(nil))
	if b.After(5) != 0 || b.Last() != 0 {
		t.Errorf("After(5) = %d, Last = %d, want 0", b.After(5), b.Last())
	}
	b.Add(Message{Opcode: Text, Seq: 7}, encoding(nil)) // the room's first message of the history
	b.Add(Message{Opcode: Text, Seq: 7}, encoding(nil))
	for seq, want := range map[uint64]int{0: 0, 1: 2, 6: 2, 7: 4} {
		if got := b.After(seq); got != want {
			t.Errorf("After(%d) = %d, want %d", seq, got, want)
		}
	}
}

func TestSingle(t *testing.T) {
	wire := Append(nil, Pong, []byte("hello"))
	b := Single(wire)
	if b.Len() != 1 || b.Size() != len(wire) || b.Source() != nil || b.Remaining(len(wire)-1) != 1 || b.Remaining(len(wire)) != 0 {
		t.Errorf("%+v", b)
	}
	if !bytes.Equal(b.Wire(0), wire) || len(b.Wire(1)) != 0 {
		t.Errorf("Wire(0), Wire(1) = %q, %q", b.Wire(0), b.Wire(1))
	}
}

func TestReset(t *testing.T) {
	d := newDeflater(t)
	b := NewBatch(0, new(Source), 0)
	b.Add(Message{Opcode: Text, Seq: 5}, encoding([]byte("old")))
	b.Deflated(d, 0)
	b.Reset(new(Source))
	if b.Len() != 0 || b.Size() != 0 || b.Last() != 0 || b.Source() == nil {
		t.Fatalf("after Reset: %+v", b)
	}
	b.Add(Message{Opcode: Text, Seq: 0}, encoding([]byte("new")))
	if got := string(b.Wire(0)); got != "\x81\x03new" {
		t.Errorf("Wire(0) = %q", got)
	}
	if got := b.Deflated(d, 100); !bytes.Equal(got.Wire(0), b.Wire(0)) {
		t.Errorf("Deflated after Reset = %q", got.Wire(0))
	}
	if b.After(5) != 0 {
		t.Errorf("After(5) = %d: the old order is still there", b.After(5))
	}
}

// TestBatchProperties compares a batch with the list of its messages.
func TestBatchProperties(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		b := NewBatch(0, new(Source), 0)
		var seqs []uint64
		var frames [][]byte
		seq := uint64(rnd.IntN(3))
		for range rnd.IntN(20) {
			p := payloadOf(sizes[rnd.IntN(len(sizes)-3)] + rnd.IntN(3))
			seq += uint64(rnd.IntN(3))
			b.Add(Message{Opcode: Binary, Seq: seq}, encoding(p))
			seqs = append(seqs, seq)
			frames = append(frames, Append(nil, Binary, p))
		}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d, seqs %v: %s", seed, seqs, fmt.Sprintf(format, args...))
		}
		if b.Len() != len(frames) {
			fail("Len() = %d", b.Len())
		}
		for from := range len(frames) + 1 {
			if want := bytes.Join(frames[from:], nil); !bytes.Equal(b.Wire(from), want) {
				fail("Wire(%d) is wrong", from)
			}
			end := b.Size() - len(b.Wire(from))
			for _, n := range []int{end - 1, end, end + 1} {
				whole := 0
				for rest := n; whole < len(frames) && rest >= len(frames[whole]); whole++ {
					rest -= len(frames[whole])
				}
				if got := b.Remaining(n); got != len(frames)-whole {
					fail("Remaining(%d) = %d, want %d", n, got, len(frames)-whole)
				}
			}
		}
		for s := range seq + 2 {
			want := slices.IndexFunc(seqs, func(q uint64) bool { return q > s })
			if want < 0 {
				want = len(seqs)
			}
			if b.Last() == 0 || s == 0 {
				want = 0
			}
			if got := b.After(s); got != want {
				fail("After(%d) = %d, want %d", s, got, want)
			}
		}
	}
}
