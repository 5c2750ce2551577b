package hub

import (
	"strconv"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/core/rate"
)

// TestPayersAreBounded: those who owe nothing are forgotten, and however many owe something, they take so much memory.
func TestPayersAreBounded(t *testing.T) {
	h := &Hub{start: time.Now()}
	ps := &h.posting.payers
	take := func(name string) bool {
		_, ok := ps.take(h, name, 1, 0)
		return ok
	}
	take("nobody")
	if len(ps.all) != 0 {
		t.Error("somebody is kept without a limit")
	}
	h.conf.messages = rate.New(1e9, 1) // full again at once
	for i := range 3 * minSweep {
		take(strconv.Itoa(i))
		if n := len(ps.all); n > minSweep {
			t.Fatalf("%d kept of whom none owes anything", n)
		}
	}
	h.conf.messages = rate.New(1e-3, 1)
	for i := range maxPayers + minSweep {
		if !take("owes " + strconv.Itoa(i)) {
			t.Fatalf("%d is refused at once", i)
		}
	}
	if n := len(ps.all); n != maxPayers {
		t.Errorf("%d kept, want %d", n, maxPayers)
	}
	kept := 0
	for i := range maxPayers {
		if _, ok := ps.all["owes "+strconv.Itoa(i)]; ok {
			kept++
		}
	}
	if kept < maxPayers-2*minSweep {
		t.Errorf("%d of %d who owe something are kept", kept, maxPayers)
	}
}
