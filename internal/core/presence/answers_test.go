package presence

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
)

// ask asks from many goroutines at once, and returns what all were answered.
func (w *world) ask(t *testing.T, n int) (first *Answer, err error) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			a, e := w.Ask(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if i == 0 {
				first, err = a, e
			}
			if first != nil && a != first && e == nil {
				t.Error("two answers")
			}
		})
	}
	all.Wait()
	return first, err
}

func (w *world) asked(t *testing.T, want int) {
	t.Helper()
	w.list.mu.Lock()
	defer w.list.mu.Unlock()
	if w.list.asked != want {
		t.Errorf("the broker was asked %d times, want %d", w.list.asked, want)
	}
}

// TestAsk: an answer serves all until a change, its age or an outage makes it doubtful.
func TestAsk(t *testing.T) {
	inWorld(t, 100, 100, func(t *testing.T, w *world) {
		w.list.members = []broker.Member{{Conn: "a"}, {Conn: "b"}}
		a, err := w.ask(t, 10)
		if err != nil || a.Count != 2 || a.Data(codec.JSON{}).Size() != len(`{"count":2,"members":[{"conn":"a"},{"conn":"b"}]}}`) {
			t.Fatalf("answered %+v, %v", a, err)
		}
		w.asked(t, 1)
		time.Sleep(maxAnswerAge - time.Second)
		if b, _ := w.Ask(t.Context()); b != a {
			t.Error("a calm room has another answer")
		}
		w.Entered()
		if b, _ := w.Ask(t.Context()); b == a {
			t.Error("the answer is older than a change")
		}
		w.asked(t, 2)
		time.Sleep(maxAnswerAge)
		_, _ = w.ask(t, 10)
		w.asked(t, 3)
		w.stale = true
		_, _ = w.ask(t, 10)
		w.asked(t, 4)
	})
}

// TestAskIsPaced: the broker is left alone for a time that its last answer took.
func TestAskIsPaced(t *testing.T) {
	inWorld(t, 100, 100, func(t *testing.T, w *world) {
		w.list.ask = func() error { time.Sleep(30 * time.Millisecond); return nil }
		begin := time.Now()
		for range 5 {
			w.Entered()
			if _, err := w.Ask(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took, want := time.Since(begin), 5*30*time.Millisecond+4*answerShare*30*time.Millisecond; took != want {
			t.Errorf("five answers took %v, want %v", took, want)
		}
	})
}

// TestAskFails: errors reach all who wait, and are no answer for those who come later.
func TestAskFails(t *testing.T) {
	away := errors.New("away")
	for name, tt := range map[string]struct {
		ask  func() error
		want error
		lost int32
	}{
		"error": {func() error { return away }, away, 0},
		"panic": {func() error { panic("broken") }, errUnanswered, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 100, 100, func(t *testing.T, w *world) {
				w.list.ask = func() error { time.Sleep(time.Second); return tt.ask() } // until all wait
				if _, err := w.ask(t, 10); !errors.Is(err, tt.want) {
					t.Errorf("answered %v, want %v", err, tt.want)
				}
				w.asked(t, 1)
				w.list.ask = nil
				if _, err := w.Ask(t.Context()); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				if synctest.Wait(); w.lost.Load() != tt.lost {
					t.Errorf("%d panics, want %d", w.lost.Load(), tt.lost)
				}
			})
		})
	}
}

// TestAskEnds: one who waits goes when its context ends, and the others are answered.
func TestAskEnds(t *testing.T) {
	inWorld(t, 100, 100, func(t *testing.T, w *world) {
		w.list.ask = func() error { time.Sleep(time.Second); return nil }
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("gone"))
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := w.Ask(ctx); err == nil || err.Error() != "gone" {
				t.Errorf("after its end: %v", err)
			}
		})
		all.Go(func() {
			if a, err := w.Ask(t.Context()); err != nil || a.Count != 0 {
				t.Errorf("another: %+v, %v", a, err)
			}
		})
		all.Wait()
	})
}

// TestShown: a change that an answer may have shown is told though it cancels out.
func TestShown(t *testing.T) {
	inWorld(t, 1, 1, func(t *testing.T, w *world) {
		w.enter("a")
		w.enter("brief")
		if _, err := w.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.leave("brief")
		w.enter("late") // within the time in which an answer may show it
		w.leave("late")
		time.Sleep(time.Minute)
		w.room.expect("+a", "-brief", "-late")
		w.enter("b")
		w.enter("never")
		w.leave("never")
		time.Sleep(time.Minute)
		w.room.expect("+b")
	})
}

// TestAnswerIsBounded: an answer lists what fits and counts all.
func TestAnswerIsBounded(t *testing.T) {
	inWorld(t, 1, 1, func(t *testing.T, w *world) {
		for range maxMembers + 10 {
			w.list.members = append(w.list.members, broker.Member{Conn: strings.Repeat("x", 100)})
		}
		a, err := w.Ask(t.Context())
		if err != nil || a.Count != maxMembers+10 || a.Data(codec.JSON{}).Size() > maxBytes+2 || a.Data(codec.JSON{}).Size() < maxBytes-200 {
			t.Errorf("%d members in %d bytes, %v", a.Count, a.Data(codec.JSON{}).Size(), err)
		}
	})
}
