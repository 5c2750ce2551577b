package fanout

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestChunkSize: a whole chunk, with the allocator's header, fills its class of 1024 bytes. There may be a million chunks with one
// member each.
func TestChunkSize(t *testing.T) {
	if bits.UintSize != 64 {
		return
	}
	const header = 8
	size := unsafe.Sizeof(chunk{}.members[:1][0])
	if all := unsafe.Sizeof(whole{}) + header; size != 16 || all > 1024 || all+size <= 1024 {
		t.Errorf("a member has %d bytes, a whole chunk %d", size, all)
	}
	if size := unsafe.Sizeof(chunk{}); size != 48 {
		t.Errorf("a chunk has %d bytes, want 48", size)
	}
}

// TestSince: a chunk keeps what its members have seen from the first on that has seen anything.
func TestSince(t *testing.T) {
	var c chunk
	for i, since := range []Mark{0, 0, 4, 0, 6} {
		c.add(&member{}, textForm, uint32(i), since)
		if i < 2 {
			if c.each != nil {
				t.Fatalf("after %d members: %v", i+1, c.each)
			}
		} else if len(c.each.since) != i+1 || c.each.since[i] != since || c.each.forms != nil {
			t.Fatalf("after %d members: %v", i+1, c.each)
		}
	}
	c.remove(c.members[2])
	if got := c.each.since; len(got) != 4 || got[2] != 0 || got[3] != 6 {
		t.Errorf("%v", got)
	}
}

// TestChunk: whoever joins and leaves, a pass is for those who were there before it began, each in its own form and from what it has
// seen on.
func TestChunk(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		c := chunkRig{t: t, there: make(map[*member]seen)}
		forms := []frame.Form{textForm, binaryForm}[:1+rnd.IntN(2)]
		marks := rnd.IntN(2)                          // none, or some
		pass := math.MaxUint32 - uint32(rnd.IntN(20)) // it begins again at zero meanwhile
		join := func() {
			if !c.full() {
				c.join(forms[rnd.IntN(len(forms))], pass, Mark(marks*rnd.IntN(4)))
			}
		}
		for range 300 {
			switch n := rnd.IntN(10); {
			case n < 5:
				join()
			case n < 8:
				c.leave(rnd)
			default: // a pass, in which the chunk's turn comes at any time
				pass++
				for range rnd.IntN(3) {
					join()
					c.leave(rnd)
				}
				c.run(pass)
			}
		}
	}
}

// chunkRig is a chunk, and what is known of its members.
type chunkRig struct {
	chunk
	t     *testing.T
	there map[*member]seen
}

// seen is what a member had seen when it joined.
type seen struct {
	pass  uint32
	since Mark
}

func (c *chunkRig) join(f frame.Form, pass uint32, since Mark) {
	m := &member{form: f}
	c.there[m] = seen{pass, since}
	c.add(m, f, pass, since)
}

func (c *chunkRig) leave(rnd *rand.Rand) {
	if len(c.members) == 0 {
		return
	}
	m := c.members[rnd.IntN(len(c.members))].(*member)
	delete(c.there, m)
	if left, ok := c.remove(m); !ok || left != len(c.there) {
		c.t.Fatalf("%d members are left, want %d", left, len(c.there))
	}
	if _, ok := c.remove(m); ok {
		c.t.Fatal("a member was taken out twice")
	}
}

// run runs a pass with three messages, the chunk's turn.
func (c *chunkRig) run(number uint32) {
	src := &frame.Source{Account: new(frame.Account)}
	b := frame.NewBatch(0, src, textForm).With(frame.NewBatch(0, src, binaryForm))
	for seq := range uint64(3) {
		b.Add(frame.Message{Seq: seq + 1}, func(dst []byte, f frame.Form) []byte { return fmt.Appendf(dst, "%d/%x", seq+1, byte(f)) })
	}
	for m := range c.there {
		m.passes = nil
	}
	c.mu.Lock()
	c.dispatch(&pass{number: number, batch: b}, nil, new(tally))
	c.mu.Unlock()
	for m, at := range c.there {
		var want []string
		for seq := at.since + 1; seq <= 3 && at.pass != number; seq++ {
			want = append(want, fmt.Sprintf("%d/%x", seq, byte(m.form)))
		}
		if got := m.got(); !slices.Equal(got, want) {
			c.t.Fatalf("pass %d: a member of pass %d and mark %d was sent %q, want %q", number, at.pass, at.since, got, want)
		}
	}
}
