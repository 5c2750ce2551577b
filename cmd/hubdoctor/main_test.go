package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/preflight"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// machine has 10,000 descriptors and nothing else that is known: 10,000 − 64 − 100 connections.
var machine = []preflight.Option{
	preflight.WithDescriptorLimit(10_000, 10_000),
	preflight.WithFiles(fstest.MapFS{}),
}

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string
	}{
		{"report", nil, 0, "9,836 connections are safe; RLIMIT_NOFILE binds.\n", ""},
		{"enough", []string{"-target", "9836"}, 0, "9,836 connections are safe", ""},
		{"short", []string{"-target", "9837"}, 1, "LimitNOFILE=16384", ""},
		{"short in JSON", []string{"-target", "9837", "-json"}, 1, `"line": "LimitNOFILE=16384"`, ""},
		{"reserve", []string{"-reserve", "0"}, 0, "10,000 connections are safe", ""},
		{"help", []string{"-h"}, 0, "", "-target connections"},
		{"unknown flag", []string{"-x"}, 2, "", "flag provided but not defined: -x"},
		{"argument", []string{"x"}, 2, "", `hubdoctor: unexpected argument "x"`},
		{"all faults", []string{"-target", "0", "-reserve", "-1"}, 2, "", "reserve is -1, must be 0 to 1000000000\npreflight: invalid option: target is 0"},
		{"not a number", []string{"-target", "lots"}, 2, "", "invalid value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			if got := run(tt.args, &stdout, &stderr, machine...); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			for _, s := range []struct{ got, want string }{{stdout.String(), tt.stdout}, {stderr.String(), tt.stderr}} {
				if !strings.Contains(s.got, s.want) || (s.got == "") != (s.want == "") {
					t.Errorf("said %q, want %q in it", s.got, s.want)
				}
			}
		})
	}
}

func TestJSONOfThisMachine(t *testing.T) {
	var stdout, stderr strings.Builder
	if got := run([]string{"-json"}, &stdout, &stderr); got != 0 {
		t.Fatalf("status %d: %s", got, stderr.String())
	}
	var r preflight.Report
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.OS == "" || r.Target == 0 {
		t.Errorf("%+v", r)
	}
}

func TestEnough(t *testing.T) {
	tests := []struct {
		safe, target int
		want         bool
	}{
		{100, 100, true},
		{99, 100, false},
		{preflight.Unlimited, 100, true},
		{preflight.Unknown, 100, false},
	}
	for _, tt := range tests {
		if got := enough(preflight.Report{SafeConns: tt.safe, Target: tt.target}); got != tt.want {
			t.Errorf("enough(%d for %d) = %t", tt.safe, tt.target, got)
		}
	}
}

func TestCannotWrite(t *testing.T) {
	for _, args := range [][]string{nil, {"-json"}} {
		var stderr strings.Builder
		if got := run(args, full{}, &stderr, machine...); got != 2 || stderr.String() != "hubdoctor: disk full\n" {
			t.Errorf("%v: status %d, said %q", args, got, stderr.String())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }
