package workerpool_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

// greedy submits tasks of a key, each a second long, until one is refused. It returns how many were taken.
func greedy(t *testing.T, p *workerpool.Pool, key uint64) (taken int) {
	t.Helper()
	for {
		err := p.Submit(t.Context(), key, sleep(time.Second))
		if err != nil {
			if e := busy(t, err); !e.Share {
				t.Errorf("key %d with %d tasks: %v, want the share", key, taken, err)
			}
			return taken
		}
		taken++
	}
}

// TestSharesShrink: what a key gets depends on how many others want something, and the last places are for those who
// have none.
func TestSharesShrink(t *testing.T) {
	tests := []struct {
		keys        int
		least, most int // what each of them has in the end
		free        int // at least
	}{
		{1, 32, 32, 68},
		{2, 28, 32, 40},
		{3, 12, 32, 20},
		{10, 1, 32, 8},
		{17, 1, 32, 1},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(99))
			for key := range tt.keys {
				if n := greedy(t, p, uint64(key)); n < tt.least || n > tt.most {
					t.Errorf("key %d of %d has %d tasks, want %d to %d", key, tt.keys, n, tt.least, tt.most)
				}
			}
			if s := p.Stats(); 100-s.Running-s.Queued < tt.free {
				t.Errorf("%d keys took %d places of 100, want %d left", tt.keys, s.Running+s.Queued, tt.free)
			} else if s.RejectedShare != int64(tt.keys) || s.Rejected != s.RejectedShare {
				t.Errorf("stats %+v, want each key refused once for its share", s)
			}
			must(t, p.Submit(t.Context(), 1000, nop))
		})
	}
}

// TestQuietKeyIsServedNext: twenty keys ask for all they can get, all the time. Each call of a key that has one at a time is
// taken, and waits for one task of each of the others at the most.
func TestQuietKeyIsServedNext(t *testing.T) {
	const others, calls = 20, 50
	for name, policy := range map[string]workerpool.Policy{"reject": workerpool.Reject(), "block": workerpool.Block()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(256), workerpool.WithSaturation(policy))
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				for key := range uint64(others) {
					for range 40 { // more than its share
						go func() {
							for ctx.Err() == nil {
								done := make(chan struct{})
								if p.Submit(ctx, key, func(context.Context) { time.Sleep(time.Second); close(done) }) != nil {
									time.Sleep(100 * time.Millisecond)
									continue
								}
								select {
								case <-done:
								case <-ctx.Done():
								}
							}
						}()
					}
				}
				time.Sleep(100 * time.Second)
				// A place is free at once, or after one round of those who wait for one; then comes the round of tasks.
				bound := time.Duration(others+2) * (time.Second + 50*time.Microsecond)
				if name == "block" {
					bound *= 2
				}
				for i := range calls {
					begun := time.Now()
					if err := p.Do(ctx, 1000, func(context.Context) error { return nil }); err != nil {
						t.Fatalf("call %d: %v", i, err)
					}
					if took := time.Since(begun); took > bound {
						t.Errorf("call %d took %v, want %v at the most", i, took, bound)
					}
					time.Sleep(time.Second / 3)
				}
			})
		})
	}
}

// TestPlacesGoRound: of those who wait for a place in the pool, a key with many has no more of them than one with one.
func TestPlacesGoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(1), workerpool.WithKeyShare(2), workerpool.WithSaturation(workerpool.Block()))
		var order []uint64
		for _, key := range []uint64{1, 2, 3, 3, 4} { // the first two have places
			go func() {
				err := p.Submit(t.Context(), key, func(context.Context) {
					order = append(order, key)
					time.Sleep(time.Second)
				})
				if err != nil {
					t.Errorf("Submit: %v", err)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
		must(t, p.Close(t.Context()))
		if want := []uint64{1, 2, 3, 4, 3}; !slices.Equal(order, want) {
			t.Errorf("ran %v, want %v", order, want)
		}
	})
}
