package testenv

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// impatient does not wait longer than goleak does by itself.
const impatient = time.Nanosecond

type runFunc func() int

func (f runFunc) Run() int { return f() }

func TestRun(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	tests := []struct {
		name  string
		tests func() int
		code  int
		says  string
	}{
		{"nothing", func() int { return 0 }, 0, ""},
		{"failed tests", func() int { return 7 }, 7, ""},
		{"late goroutine", func() int { go time.Sleep(20 * time.Millisecond); return 0 }, 0, ""},
		{"goroutine", func() int { go func() { <-stop }(); return 0 }, 1, "unexpected goroutines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stderr strings.Builder
			if got := run(runFunc(tt.tests), &stderr, impatient, goleak.IgnoreCurrent()); got != tt.code {
				t.Errorf("exit code %d, want %d", got, tt.code)
			}
			if got := stderr.String(); !strings.Contains(got, tt.says) || (got == "") != (tt.says == "") {
				t.Errorf("said %q, want %q in it", got, tt.says)
			}
		})
	}
}

func TestRunFindsOpenFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // Descriptors are counted on Linux only.
	}
	var f *os.File
	var stderr strings.Builder
	code := run(runFunc(func() int {
		f = open(t)
		return 0
	}), &stderr, impatient, goleak.IgnoreCurrent())
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if code != 1 || !strings.Contains(stderr.String(), f.Name()) {
		t.Errorf("exit code %d, said %q; want 1 and the name of the file", code, stderr.String())
	}
}

func TestRunWaitsForFileToClose(t *testing.T) {
	var stderr strings.Builder
	code := run(runFunc(func() int {
		f := open(t)
		time.AfterFunc(20*time.Millisecond, func() { _ = f.Close() })
		return 0
	}), &stderr, leakGrace, goleak.IgnoreCurrent())
	if code != 0 {
		t.Errorf("exit code %d, said %q", code, stderr.String())
	}
}

func TestNoLeaks(t *testing.T) {
	NoLeaks(t) // of this test itself
	stop := make(chan struct{})
	defer close(stop)

	clean := &recorder{TB: t}
	NoLeaks(clean)
	clean.end()
	if clean.errors != 0 {
		t.Errorf("%d errors without a leak", clean.errors)
	}

	leaky := &recorder{TB: t}
	noLeaks(leaky, impatient)
	go func() { <-stop }()
	leaky.end()
	if leaky.errors != 1 {
		t.Errorf("%d errors with a leak, want 1", leaky.errors)
	}
}

func TestFDs(t *testing.T) {
	before := FDs()
	f := open(t)
	after := FDs()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		if after != nil {
			t.Errorf("FDs() = %q, want nil", after)
		}
		return
	}
	if len(after) != len(before)+1 {
		t.Errorf("%d descriptors, want %d", len(after), len(before)+1)
	}
	if all := strings.Join(after, "\n"); !strings.Contains(all, f.Name()) {
		t.Errorf("%s is not in\n%s", f.Name(), all)
	}
}

func open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	cleanups []func()
	errors   int
}

func (r *recorder) Helper()          {}
func (r *recorder) Failed() bool     { return r.errors > 0 }
func (r *recorder) Error(...any)     { r.errors++ }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) end() {
	for _, f := range r.cleanups {
		f()
	}
}
