package workerpool_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/workerpool"
)

func TestMain(m *testing.M) {
	// Importing ants starts its default pool, whose two goroutines never end.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// newPool makes a pool that the test closes, and checks that nothing of it is left.
func newPool(t testing.TB, opts ...workerpool.Option) *workerpool.Pool {
	t.Helper()
	p, err := workerpool.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		checkEmpty(t, p)
	})
	return p
}

// checkEmpty checks that a pool with nothing to do remembers nothing, and that its counters add up.
func checkEmpty(t testing.TB, p *workerpool.Pool) {
	t.Helper()
	s := p.Stats()
	if s.Running != 0 || s.Queued != 0 || s.Blocked != 0 || s.Keys != 0 {
		t.Errorf("something is left: %+v", s)
	}
	checkSum(t, s)
	if n := workerpool.Queues(p); n != 0 {
		t.Errorf("%d queues are left, want 0", n)
	}
	if n := workerpool.FilterSum(p); n != 0 {
		t.Errorf("the busy filter counts %d keys, want 0", n)
	}
}

func checkSum(t testing.TB, s workerpool.Stats) {
	t.Helper()
	if sum := s.Completed + s.Dropped + s.Canceled + int64(s.Queued+s.Running); s.Submitted != sum {
		t.Errorf("Submitted = %d, but the tasks add up to %d: %+v", s.Submitted, sum, s)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ms leaves out the rests of the workers.
func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func nop(context.Context) {}

// gate is a task that runs until it is opened.
type gate struct {
	entered chan struct{}
	open    func()
	opened  chan struct{}
}

func newGate() *gate {
	g := &gate{entered: make(chan struct{}), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	return g
}

func (g *gate) task(context.Context) {
	close(g.entered)
	<-g.opened
}

// hold occupies a worker with a task of key, and returns what ends it.
func hold(t testing.TB, p *workerpool.Pool, key uint64) (release func()) {
	t.Helper()
	g := newGate()
	must(t, p.Submit(context.Background(), key, g.task))
	<-g.entered
	t.Cleanup(g.open) // before the pool is closed, also where the test has failed
	return g.open
}
