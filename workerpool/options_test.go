package workerpool_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

func TestDefaults(t *testing.T) {
	for procs, want := range map[int]int{1: 1, 2: 1, 3: 2, 8: 7} {
		before := runtime.GOMAXPROCS(procs)
		n := newPool(t).Stats().Workers
		runtime.GOMAXPROCS(before)
		if n != want {
			t.Errorf("%d workers by default on %d processors, want %d", n, procs, want)
		}
	}
	p := newPool(t)
	release := hold(t, p, 1)
	defer release()
	for range workerpool.DefaultKeyShare - 1 {
		must(t, p.Submit(t.Context(), 1, nop))
	}
	if e := busy(t, p.Submit(t.Context(), 1, nop)); !e.Share {
		t.Errorf("got %+v, want the share", e)
	}
}

// The default queue grows with the workers, and the default share fits what the pool takes.
func TestDependentDefaults(t *testing.T) {
	p := newPool(t, workerpool.WithWorkers(1))
	release := hold(t, p, 1)
	for range workerpool.DefaultQueuePerWorker {
		must(t, p.Go(t.Context(), nop))
	}
	if e := busy(t, p.Go(t.Context(), nop)); e.Share {
		t.Errorf("got %+v, want the pool", e)
	}
	release()

	small := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(2))
	release = hold(t, small, 1)
	must(t, small.Submit(t.Context(), 1, nop))
	if e := busy(t, small.Submit(t.Context(), 1, nop)); !e.Share { // the last place is for another key
		t.Errorf("got %+v, want the share", e)
	}
	must(t, small.Submit(t.Context(), 2, nop))
	release()
}

func TestFaultyOptions(t *testing.T) {
	tests := []struct {
		name string
		opts []workerpool.Option
		want []string
	}{
		{"nil", []workerpool.Option{nil}, []string{"option 0 is nil"}},
		{"no workers", []workerpool.Option{workerpool.WithWorkers(0)}, []string{"WithWorkers(0)"}},
		{"too many workers", []workerpool.Option{workerpool.WithWorkers(1 << 21)}, []string{"WithWorkers(2097152)"}},
		{"negative queue", []workerpool.Option{workerpool.WithQueue(-1)}, []string{"WithQueue(-1)"}},
		{"endless queue", []workerpool.Option{workerpool.WithQueue(1 << 30)}, []string{"WithQueue(1073741824)"}},
		{"no share", []workerpool.Option{workerpool.WithKeyShare(0)}, []string{"WithKeyShare(0)"}},
		{
			"share over capacity",
			[]workerpool.Option{workerpool.WithKeyShare(8), workerpool.WithWorkers(2), workerpool.WithQueue(5)},
			[]string{"WithKeyShare(8)", "only 7"},
		},
		{"zero deadline", []workerpool.Option{workerpool.WithSaturation(workerpool.Deadline(0))}, []string{"Deadline(0s)"}},
		{
			"negative deadline",
			[]workerpool.Option{workerpool.WithSaturation(workerpool.Deadline(-time.Second))},
			[]string{"Deadline(-1s)"},
		},
		{"nil handler", []workerpool.Option{workerpool.WithPanicHandler(nil)}, []string{"WithPanicHandler(nil)"}},
		{
			"all at once",
			[]workerpool.Option{
				workerpool.WithWorkers(-1), nil, workerpool.WithQueue(-2), workerpool.WithKeyShare(-3),
				workerpool.WithSaturation(workerpool.Deadline(-4)), workerpool.WithPanicHandler(nil),
			},
			[]string{
				"WithWorkers(-1)", "option 1 is nil", "WithQueue(-2)", "WithKeyShare(-3)",
				"Deadline(-4ns)", "WithPanicHandler(nil)",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := workerpool.New(test.opts...)
			if err == nil {
				must(t, p.Close(t.Context()))
				t.Fatal("New accepted it")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}
