package brokertest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// probe is a testing.TB for a check that is expected to fail.
type probe struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (p *probe) Helper() {}

func (p *probe) Errorf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = append(p.failures, fmt.Sprintf(format, args...))
}

func (p *probe) Error(args ...any) { p.Errorf("%s", fmt.Sprint(args...)) }

func (p *probe) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	runtime.Goexit()
}

func (p *probe) Fatal(args ...any) { p.Fatalf("%s", fmt.Sprint(args...)) }

func (p *probe) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

// try runs a check in a world that open makes, and returns what it complained of.
func try(t *testing.T, name string, open func(testing.TB) World) []string {
	t.Helper()
	all := checks()
	i := slices.IndexFunc(all, func(c check) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("no check is called %q", name)
	}
	p := &probe{TB: t}
	var ended sync.WaitGroup
	ended.Go(func() { all[i].run(p, newWorld(p, open(p))) })
	ended.Wait()
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
	return p.failures
}

func TestCheckNamesAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range checks() {
		if seen[c.name] {
			t.Errorf("two checks are called %s", c.name)
		}
		seen[c.name] = true
	}
}
