package memory

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestAgenda(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	a := agenda{wake: make(chan struct{}, 1)}
	all := make([]deadline, 2000)
	for i := range all {
		all[i] = deadline{room: new(room), due: never}
	}
	for i := range 20_000 {
		d := &all[rnd.IntN(len(all))]
		due := rnd.Int64N(1000)
		if due < 100 {
			due = never
		}
		a.plan(d, due)
		if i%100 != 0 {
			continue
		}
		for i, d := range a.heap {
			if d.slot != i+1 {
				t.Fatalf("deadline at %d believes to be at %d", i, d.slot-1)
			}
		}
	}
	want := make(map[*room]int64)
	for i := range all {
		if all[i].due != never {
			want[all[i].room] = all[i].due
		}
	}
	if r, next := a.take(99); r != nil || next < 100 {
		t.Fatalf("took %v, next at %d, before anything is due", r, next)
	}
	last := int64(0)
	for {
		r, next := a.take(never - 1)
		if r == nil {
			if next != never {
				t.Errorf("next at %d of nothing", next)
			}
			break
		}
		if want[r] < last {
			t.Fatalf("due at %d after %d", want[r], last)
		}
		last = want[r]
		delete(want, r)
	}
	if len(want) > 0 {
		t.Errorf("%d deadlines were lost", len(want))
	}
	if cap(a.heap) > 1024 {
		t.Errorf("%d places for nothing", cap(a.heap))
	}
}

// Only a deadline that is the earliest wakes the sweeper.
func TestAgendaWakes(t *testing.T) {
	a := agenda{wake: make(chan struct{}, 1)}
	first, second := deadline{room: new(room)}, deadline{room: new(room)}
	for i, c := range []struct {
		d    *deadline
		due  int64
		wake bool
	}{
		{&first, 10, true}, {&second, 20, false}, {&second, 5, true}, {&first, 4, true}, {&first, never, false},
	} {
		a.plan(c.d, c.due)
		woken := len(a.wake) > 0
		if woken {
			<-a.wake
		}
		if woken != c.wake {
			t.Errorf("step %d: woken %v, want %v", i, woken, c.wake)
		}
	}
}

func TestAfter(t *testing.T) {
	for _, c := range []struct {
		now  int64
		d    time.Duration
		want int64
	}{
		{1, 2, 3}, {-5, 2, -3}, {0, never, never}, {1, never, never}, {-1, never, never - 1}, {never, 1, never},
	} {
		if got := after(c.now, c.d); got != c.want {
			t.Errorf("after(%d, %d) = %d, want %d", c.now, int64(c.d), got, c.want)
		}
	}
}
