//go:build !linux

package preflight_test

import (
	"runtime"
	"testing"

	"github.com/gohubkit/hubkit/preflight"
)

// openAll is for Linux; the test that needs it runs there.
func openAll() int { return 0 }

func TestThisMachine(t *testing.T) {
	r := check(t)
	if r.OS != runtime.GOOS {
		t.Errorf("OS is %s", r.OS)
	}
	want := 1 // RLIMIT_NOFILE
	if runtime.GOOS == "windows" || runtime.GOOS == "js" || runtime.GOOS == "wasip1" || runtime.GOOS == "plan9" {
		want = 0
	}
	if len(r.Limits) != want || (r.SafeConns == preflight.Unknown) != (want == 0) {
		t.Errorf("%d limits, %d safe", len(r.Limits), r.SafeConns)
	}
}
