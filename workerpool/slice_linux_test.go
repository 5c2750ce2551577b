package workerpool_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/workerpool"
)

func schedAttr(t *testing.T) unix.SchedAttr {
	t.Helper()
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return *a
}

// longer is what a thread's attributes become: no other than they were, where Linux lets nobody ask (before 6.12).
func longer(a unix.SchedAttr) unix.SchedAttr {
	a.Runtime *= workerpool.Longer // which is zero there
	return a
}

// TestLongSlice: a thread has it, and nothing else that is new, until it is given back.
func TestLongSlice(t *testing.T) {
	runtime.LockOSThread() // to look at one thread
	defer runtime.UnlockOSThread()
	before := schedAttr(t)
	restore := workerpool.LongSlice()
	if got, want := schedAttr(t), longer(before); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	restore()
	if got := schedAttr(t); got != before {
		t.Errorf("afterwards %+v, want %+v", got, before)
	}
}

// TestSliceOfWorkers: those that are long at their tasks have it, and others not. The clock is that of a bubble.
func TestSliceOfWorkers(t *testing.T) {
	before := schedAttr(t)
	for _, tt := range []struct {
		name string
		task time.Duration
		want unix.SchedAttr
	}{{"short", 100 * time.Microsecond, before}, {"long", 2 * time.Millisecond, longer(before)}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.WithWorkers(1))
				var got unix.SchedAttr
				for range 3 {
					must(t, p.Do(t.Context(), 1, func(context.Context) error {
						time.Sleep(tt.task)
						got = schedAttr(t)
						return nil
					}))
				}
				if got != tt.want {
					t.Errorf("%+v, want %+v", got, tt.want)
				}
			})
		})
	}
}
