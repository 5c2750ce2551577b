package life

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStates: a Life goes one way, and one call alone makes each step.
func TestStates(t *testing.T) {
	var l Life
	if l.Serving() || l.Closed() {
		t.Error("it serves before it is open")
	}
	l.Open()
	if !l.Serving() {
		t.Error("open, it does not serve")
	}
	if !l.Drain() || l.Drain() || l.Serving() || l.Closed() {
		t.Error("draining is entered once, and is neither serving nor closed")
	}
	l.Open()
	if l.Serving() {
		t.Error("it serves again")
	}
	if !l.Close() || l.Close() || l.Drain() || !l.Closed() {
		t.Error("closed is entered once, and is the end")
	}
	var fresh Life
	if !fresh.Close() || !fresh.Closed() {
		t.Error("what was never open cannot be closed")
	}
}

// told is an Owner.
type told struct{ panics atomic.Pointer[any] }

func (o *told) Crashed(v any) { o.panics.Store(&v) }

// TestRun: each goroutine's panic is told to its own owner, and Wait returns after that.
func TestRun(t *testing.T) {
	var hub, well, ill, gone told
	l := Life{Hub: &hub}
	l.RunFor(&well, func() {})
	l.RunFor(&ill, func() { panic("no") })
	l.RunFor(&gone, runtime.Goexit)
	l.Run(func() { panic("hub") })
	if err := l.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if well.panics.Load() != nil || gone.panics.Load() != nil {
		t.Error("an owner was told of another's panic")
	}
	if v := ill.panics.Load(); v == nil || *v != "no" {
		t.Errorf("the owner was told %v", v)
	}
	if v := hub.panics.Load(); v == nil || *v != "hub" {
		t.Errorf("the hub was told %v", v)
	}
}

// TestWait: Wait sees what begins while it waits, and its error counts what runs.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Life
		l.Enter()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), " 1 ") {
			t.Errorf("one is there: %v", err)
		}
		l.Run(func() {
			time.Sleep(time.Second)
			l.Enter()
			l.Leave()
		})
		time.AfterFunc(2*time.Second, l.Leave)
		begun := time.Now()
		if err := l.Wait(t.Context()); err != nil || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
