package memory

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The ring does what a slice does.
func TestRing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, expected := range []int{0, 1, 3, 64} {
		var q ring[*int]
		var want []*int
		for range 5000 {
			switch op := rnd.IntN(10); {
			case op < 5 || q.n == 0:
				v := new(int)
				q.push(v, expected)
				want = append(want, v)
			case op < 9:
				q.pop()
				want = want[1:]
			default:
				q.compact()
				if len(q.buf) > max(4*q.n, 2*q.n) {
					t.Fatalf("%d places for %d after compact", len(q.buf), q.n)
				}
			}
			got := make([]*int, q.n)
			for i := range got {
				got[i] = *q.at(i)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d elements are not the %d wanted", len(got), len(want))
			}
			held := 0
			for _, v := range q.buf {
				if v != nil {
					held++
				}
			}
			if held != q.n {
				t.Fatalf("%d elements held, want %d", held, q.n)
			}
		}
	}
}

// A ring that is used as expected is no larger than that.
func TestRingGrowsAsExpected(t *testing.T) {
	var q ring[int]
	for i := range 1000 {
		if q.n == 100 {
			q.pop()
		}
		q.push(i, 100)
	}
	if len(q.buf) != 100 {
		t.Errorf("%d places for 100 elements", len(q.buf))
	}
}
