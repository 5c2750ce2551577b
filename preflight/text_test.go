package preflight_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/preflight"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")); !bytes.Equal(got, want) {
		t.Errorf("%s has changed (-update accepts it):\n%s", file, got)
	}
}

func TestGolden(t *testing.T) {
	for _, f := range []fake{laptop, pod, firewall, unlimited, blank} {
		t.Run(f.name, func(t *testing.T) {
			r := check(t, f.options()...)
			var text bytes.Buffer
			if err := r.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			golden(t, f.name+".txt", text.Bytes())
		})
	}
	b, err := json.MarshalIndent(check(t, pod.options()...), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "pod.json", append(b, '\n'))
}

func TestTextIsPlain(t *testing.T) {
	for _, f := range fakes {
		var text strings.Builder
		if err := check(t, f.options()...).WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if strings.ContainsAny(line, "\t\r\x1b") || strings.TrimRight(line, " \n")+"\n" != line {
				t.Errorf("%s: %q", f.name, line)
			}
		}
	}
}

func TestWriteTextReturnsError(t *testing.T) {
	want := errors.New("full")
	if err := check(t, laptop.options()...).WriteText(failing{want}); !errors.Is(err, want) {
		t.Errorf("WriteText: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestString(t *testing.T) {
	tests := []struct {
		report preflight.Report
		want   string
	}{
		{
			check(t, laptop.options()...),
			"preflight: 518,972 connections are safe if idle, 12,000 bytes each: RLIMIT_NOFILE is 524,288 descriptors; for 768,000 set LimitNOFILE=1048576 (systemd)",
		},
		{
			check(t, pod.options()...),
			"preflight: 29,360 connections are safe if idle, 12,000 bytes each: cgroup memory.max is 512 MiB; for 58,720 set MemoryMax=960M (systemd)",
		},
		{
			check(t, laptop.options(preflight.WithTarget(10))...),
			"preflight: 518,972 connections are safe if idle, 12,000 bytes each: RLIMIT_NOFILE is 524,288 descriptors",
		},
		{
			check(t, preflight.WithFiles(os.DirFS(t.TempDir())), preflight.WithReserve(9), preflight.WithDescriptorLimit(10, 10), preflight.WithTarget(1)),
			"preflight: 1 connection is safe if idle, 12,000 bytes each: RLIMIT_NOFILE is 10 descriptors",
		},
		{check(t, unlimited.options()...), "preflight: no limit on connections"},
		{preflight.Report{OS: "windows", SafeConns: preflight.Unknown}, "preflight: the limits of windows are not known"},
	}
	for _, tt := range tests {
		if got := tt.report.String(); got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}

func TestWriteTextWithoutLimits(t *testing.T) {
	var b strings.Builder
	if err := (preflight.Report{OS: "windows", SafeConns: preflight.Unknown}).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "The limits of windows are not known.\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLogValue(t *testing.T) {
	tests := []struct {
		fake fake
		want string
	}{
		{laptop, `os.safe_conns=518972 os.conn_bytes=12000 os.binding=RLIMIT_NOFILE os.value=524288 os.target=768000 os.fix="LimitNOFILE=1048576"`},
		{unlimited, `os.safe_conns=-1 os.conn_bytes=12000`},
	}
	for _, tt := range tests {
		var b strings.Builder
		log := slog.New(slog.NewTextHandler(&b, nil))
		log.Info("limits", "os", check(t, tt.fake.options()...))
		if _, got, _ := strings.Cut(strings.TrimSpace(b.String()), "msg=limits "); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.fake.name, got, tt.want)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for _, f := range fakes {
		roundTrip(t, check(t, f.options()...))
	}
}

func roundTrip(t *testing.T, r preflight.Report) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back preflight.Report
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, back) {
		t.Errorf("%s\ncame back as %+v", b, back)
	}
}
