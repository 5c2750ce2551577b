package testenv

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// leakGrace is how long what is closing may take to be gone.
const leakGrace = 20 * time.Second

// Main runs the tests and exits. It turns success into failure when goroutines or, on Linux, file
// descriptors are left. Call it from TestMain:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
func Main(m *testing.M, opts ...goleak.Option) {
	os.Exit(run(m, os.Stderr, leakGrace, opts...))
}

// runner is the part of *testing.M that run needs.
type runner interface{ Run() int }

func run(m runner, stderr io.Writer, patience time.Duration, opts ...goleak.Option) int {
	check := watch(patience, opts...)
	code := m.Run()
	if code != 0 {
		return code // A failed test may have left anything; its own message is the one to read.
	}
	if err := check(); err != nil {
		_, _ = fmt.Fprintf(stderr, "testenv: after the tests: %v\n", err)
		return 1
	}
	return 0
}

// NoLeaks checks at the end of the test that all goroutines and, on Linux, file descriptors that came
// after the call are gone. It sees the whole process: a test that calls it must not be parallel.
// Call it first, so that it checks after the test's other cleanups.
func NoLeaks(t testing.TB, opts ...goleak.Option) {
	t.Helper()
	noLeaks(t, leakGrace, opts...)
}

func noLeaks(t testing.TB, patience time.Duration, opts ...goleak.Option) {
	t.Helper()
	check := watch(patience, append(slices.Clip(opts), goleak.IgnoreCurrent())...)
	t.Cleanup(func() {
		t.Helper()
		if err := check(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
}

// watch notes what is open now. The function it returns reports what has come since and does not go.
func watch(patience time.Duration, opts ...goleak.Option) (check func() error) {
	// The runtime opens its poller with the first descriptor that can be polled, and keeps it.
	if r, w, err := os.Pipe(); err == nil {
		_, _ = r.Close(), w.Close()
	}
	before := FDs()
	return func() error {
		deadline := time.Now().Add(patience)
		err := goleak.Find(opts...) // It looks several times, over about half a second.
		for err != nil && time.Now().Before(deadline) {
			err = goleak.Find(opts...)
		}
		if err != nil {
			return err
		}
		return awaitFDs(before, patience)
	}
}

// awaitFDs waits until no descriptor is open that is not among before.
func awaitFDs(before []string, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		left := slices.DeleteFunc(FDs(), func(fd string) bool { return slices.Contains(before, fd) })
		if len(left) == 0 {
			return nil
		}
		// Package net keeps the pipes it splices with in a pool, and closes them when they are collected.
		runtime.GC()
		if time.Now().After(deadline) {
			return fmt.Errorf("%d file descriptors left open:\n\t%s", len(left), strings.Join(left, "\n\t"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}
