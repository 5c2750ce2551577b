package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// A breaker is open from the first broken connection until the server answers, and asks ever less often.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("connection reset")
		var down atomic.Bool
		down.Store(true)
		var mu sync.Mutex
		var asked []time.Time
		b := &breaker{
			spawn: func(f func()) bool { go f(); return true },
			wait:  func(d time.Duration) bool { time.Sleep(d); return true },
			ping: func(context.Context) error {
				mu.Lock()
				asked = append(asked, time.Now())
				mu.Unlock()
				if down.Load() {
					return broken
				}
				return nil
			},
		}
		for _, harmless := range []error{nil, context.Canceled, context.DeadlineExceeded} {
			b.report(harmless)
			if err := b.check(); err != nil {
				t.Fatalf("after %v: %v", harmless, err)
			}
		}
		begin := time.Now()
		b.report(broken)
		b.report(broken)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if err := b.check(); !errors.Is(err, broker.ErrUnavailable) || !errors.Is(err, broken) {
			t.Errorf("while the server is gone: %v, want ErrUnavailable and the cause", err)
		}
		mu.Lock()
		if len(asked) == 0 || !asked[0].Equal(begin) {
			t.Errorf("asked first at %v, want at once", asked)
		}
		if n := len(asked); n < 13 || n > 50 {
			t.Errorf("asked %d times in 10 s, want about 24", n)
		}
		mu.Unlock()
		down.Store(false)
		time.Sleep(lastProbe * 3 / 2)
		synctest.Wait()
		if err := b.check(); err != nil {
			t.Errorf("when the server is back: %v", err)
		}
	})
}

// Rooms are due once for each refresh, or when somebody expires, and are forgotten when nobody is left.
func TestAttendance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refresh = 25 * time.Second
		p := newPresence(refresh)
		due := func(within time.Duration) []string {
			t.Helper()
			var all []string
			for end := time.Now().Add(within); ; {
				rooms, wait := p.take(10)
				all = append(all, rooms...)
				if len(rooms) > 0 {
					continue
				}
				if time.Now().Add(wait).After(end) {
					time.Sleep(time.Until(end))
					return all
				}
				time.Sleep(wait)
			}
		}
		a, _ := p.enter("own", "a", "{}")
		p.entered(a, "a", nil)
		p.watch("other")
		if got := due(refresh * 4 / 5); len(got) > 0 {
			t.Errorf("due early: %v", got)
		}
		got := due(refresh/5 + time.Second)
		slices.Sort(got)
		if !slices.Equal(got, []string{"other", "own"}) {
			t.Fatalf("due: %v, want both rooms", got)
		}
		p.visited("own", -1)
		p.visited("other", 40*time.Second)
		got = due(30 * time.Second)
		slices.Sort(got)
		if !slices.Equal(got, []string{"other", "own"}) {
			t.Errorf("due within a refresh: %v, want both rooms", got)
		}
		p.visited("own", 3*time.Second)
		p.visited("other", 3*time.Second)
		got = due(6 * time.Second)
		slices.Sort(got)
		if !slices.Equal(got, []string{"other", "own"}) {
			t.Errorf("due when somebody expires: %v, want both rooms", got)
		}
		p.visited("other", -1)
		p.failed("own")
		if got := due(2 * time.Second); !slices.Equal(got, []string{"own"}) {
			t.Errorf("due after a failure: %v, want the own room", got)
		}
		if json, was := p.leave("own", "a"); !was || json != "{}" {
			t.Errorf("leave: %q, %v; want what was announced", json, was)
		}
		if _, was := p.leave("own", "a"); was {
			t.Error("leave does not know who was there")
		}
		p.left("own", "a")
		p.visited("own", -1)
		if got := due(time.Hour); len(got) > 0 || len(p.rooms) > 0 {
			t.Errorf("due when nobody is left: %v; rooms %v", got, p.rooms)
		}
	})
}

// states writes down what it is told.
type states struct {
	broker.Receiver
	all []broker.State
}

func (s *states) StateChanged(x broker.State) { s.all = append(s.all, x) }

// Every change of the state is told, in order, however short it was.
func TestStateTellsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, told, stop := newState(), new(states), make(chan struct{})
		one, two := new(link), new(link)
		s.lost(one)
		s.lost(two)
		s.recovered(one)
		s.recovered(two)
		s.drift(2)
		s.lost(one)
		s.drift(-2)
		s.recovered(one)
		go s.tell(stop, told)
		synctest.Wait()
		s.lost(one)
		synctest.Wait()
		close(stop)
		synctest.Wait()
		want := []broker.State{broker.Stale, broker.Live, broker.Stale, broker.Live, broker.Stale}
		if !slices.Equal(told.all, want) {
			t.Errorf("told %v, want %v", told.all, want)
		}
	})
}
