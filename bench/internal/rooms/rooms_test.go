package rooms_test

import (
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/bench/internal/rooms"
)

func TestIndex(t *testing.T) {
	var x rooms.Index[int]
	for i := range 5 {
		x.Add("a", i)
	}
	x.Add("b", 9)
	for _, m := range []int{0, 4, 2, 2, 77} {
		x.Remove("a", m)
	}
	x.Remove("no such room", 1)

	var got []int
	x.Each("a", func(m int) { got = append(got, m) })
	slices.Sort(got)
	if want := []int{1, 3}; !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	if x.Len() != 3 || x.Size("a") != 2 || x.Size("c") != 0 {
		t.Errorf("Len %d, Size(a) %d, Size(c) %d; want 3, 2, 0", x.Len(), x.Size("a"), x.Size("c"))
	}
	x.Remove("a", 1)
	x.Remove("a", 3)
	if x.Size("a") != 0 || x.Len() != 1 {
		t.Errorf("after the last left: Size %d, Len %d; want 0, 1", x.Size("a"), x.Len())
	}
}
