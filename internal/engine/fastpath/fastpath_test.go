package fastpath_test

import (
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) {
	if os.Getenv("FASTPATH_CHILD") != "" {
		child()
		return
	}
	testenv.Main(m)
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		settings string
		off      fastpath.Set
		unknown  []string
	}{
		{"", 0, nil},
		{"uring=0", fastpath.Uring, nil},
		{"rawsys=0,poll=0", fastpath.RawSyscalls | fastpath.Poller, nil},
		{" uring=0 , rawsys=0,poll=0,door=0,", fastpath.All, nil},
		{"uring=1", 0, nil},
		{"uring=0,uring=1", 0, nil}, // the last one counts, as in GODEBUG
		{"uring", 0, []string{"uring"}},
		{"uring=off,epoll=0,poll=0", fastpath.Poller, []string{"uring=off", "epoll=0"}},
		{"=0", 0, []string{"=0"}},
	} {
		off, unknown := fastpath.Parse(tt.settings)
		if off != tt.off || !slices.Equal(unknown, tt.unknown) {
			t.Errorf("%q turns off %q and has unknown %q, want %q and %q", tt.settings, off, unknown, tt.off, tt.unknown)
		}
	}
}

func TestString(t *testing.T) {
	if got := fastpath.All.String(); got != "uring,rawsys,poll,door" {
		t.Errorf("all are %q", got)
	}
	if got := fastpath.Set(0).String(); got != "" {
		t.Errorf("none are %q", got)
	}
}

// child tells with its status what the environment has turned off, then turns the rest off too.
func child() {
	unwanted := fastpath.Uring.Enabled() || !fastpath.RawSyscalls.Enabled() || !fastpath.Poller.Enabled() ||
		!slices.Equal(fastpath.Unknown(), []string{"typo=0"})
	fastpath.Poller.Disable()
	if unwanted || fastpath.Poller.Enabled() || fastpath.All.Enabled() || !fastpath.RawSyscalls.Enabled() {
		os.Exit(1)
	}
}

func TestEnvironment(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FASTPATH_CHILD=1", fastpath.Env+"=uring=0,typo=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the child saw other paths than its environment said: %v\n%s", err, out)
	}
}
