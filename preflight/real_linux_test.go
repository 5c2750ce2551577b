package preflight_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/preflight"
)

// openAll opens descriptors until there are no more.
func openAll() int {
	for n := 0; ; n++ {
		if _, err := unix.Open("/dev/null", unix.O_RDONLY, 0); err != nil {
			return n
		}
	}
}

func TestChildTellsItsLimits(t *testing.T) {
	tests := []struct {
		name  string
		shell string
		soft  int
		hard  int
	}{
		{"both limits", "ulimit -n 256", 256, 256},
		{"Go raises the soft limit", "ulimit -S -n 100; ulimit -H -n 300", 299, 300},
	}
	sh := testenv.RequireTool(t, "sh")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), sh, "-c", tt.shell+`; exec "$0"`, os.Args[0])
			cmd.Env = append(os.Environ(), childMode+"=1")
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var a account
			if err := json.Unmarshal(out, &a); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			r := a.Report
			if r.Binding != "RLIMIT_NOFILE" || r.Descriptors.Soft != tt.soft || r.Descriptors.Hard != tt.hard {
				t.Errorf("%s binds, limits %+v; want RLIMIT_NOFILE, %d and %d",
					r.Binding, r.Descriptors, tt.soft, tt.hard)
			}
			if want := 64 + tt.soft/100; r.Descriptors.Reserve != want {
				t.Errorf("%d kept back, want %d", r.Descriptors.Reserve, want)
			}
			if note := limit(t, r, "RLIMIT_NOFILE").Note; strings.Contains(note, "lowered") {
				t.Errorf("nothing has lowered the limit: %s", note)
			}
			if got := r.SafeConns + r.Descriptors.Reserve; a.Opened != got {
				t.Errorf("opened %d descriptors, the report said %d (%+v)", a.Opened, got, r)
			}
		})
	}
}

func TestThisMachine(t *testing.T) {
	r := check(t)
	if r.OS != "linux" || r.SafeConns < 1 || r.Binding == "" {
		t.Errorf("%s: %d safe, %q binds", r.OS, r.SafeConns, r.Binding)
	}
	for _, name := range []string{
		"RLIMIT_NOFILE", "fs.nr_open", "fs.file-max", "machine memory", "net.core.somaxconn", "net.ipv4.ip_local_port_range",
	} {
		if l := limit(t, r, name); l.Allows == preflight.Unknown {
			t.Errorf("%s is unknown: %s", name, l.Note)
		}
	}
	if n := r.Descriptors.Open; n < 3 || n > 1000 {
		t.Errorf("%d descriptors open", n)
	}
	if again := check(t).Descriptors; again != r.Descriptors {
		t.Errorf("the first check changed %+v to %+v", r.Descriptors, again)
	}
}

func TestOpenCountsWhatIsOpen(t *testing.T) {
	before := check(t).Descriptors.Open
	for range 5 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
	}
	after := check(t)
	if got, want := after.Descriptors.Open, before+5; got != want {
		t.Errorf("%d open, want %d", got, want)
	}
}

func TestCheckInParallel(t *testing.T) {
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := preflight.Check(preflight.WithTarget(1000))
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := preflight.Check(); err != nil {
			b.Fatal(err)
		}
	}
}
