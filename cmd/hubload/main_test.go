package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/fleet"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/report"
	"github.com/gohubkit/hubkit/internal/testenv"
)

// commandEnv makes the test program the command.
const commandEnv = "HUBLOAD_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" || os.Getenv(fleet.WorkerEnv) != "" {
		main()
	}
	// Package ants, under the hub's worker pool, starts goroutines when it is imported.
	testenv.Main(m, goleak.IgnoreCurrent())
}

// ran is a command that has ended.
type ran struct {
	stdout, stderr string
	status         int
	result         report.Result // from -json, if it was written
}

// command prepares the command with -json and what else a test wants. It is killed after a minute.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, file string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	file = filepath.Join(t.TempDir(), "result.json")
	cmd = exec.CommandContext(ctx, exe, append([]string{"-json", file, "-grace", "15s"}, args...)...)
	cmd.Env = append(os.Environ(), commandEnv+"=1")
	return cmd, file
}

func hubload(t *testing.T, args ...string) ran {
	t.Helper()
	cmd, file := command(t, args...)
	return finish(t, cmd, file, cmd.Run)
}

// finish runs what waits for the command and collects what it left.
func finish(t *testing.T, cmd *exec.Cmd, file string, wait func() error) (r ran) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Process == nil {
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
	}
	err := wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	} else if ok && exit.ExitCode() < 0 {
		t.Fatalf("hubload: %v\n%s%s", err, &stdout, &stderr)
	}
	r.stdout, r.stderr, r.status = stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
	if b, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(b, &r.result); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return r
}

// expect fails the test, with all that the command said, unless it ended with a status.
func (r ran) expect(t *testing.T, status int) {
	t.Helper()
	if r.status != status {
		t.Fatalf("exit status %d, want %d\n%s%s", r.status, status, r.stdout, r.stderr)
	}
}

func TestUsageReportsEveryFault(t *testing.T) {
	t.Parallel()
	r := hubload(t, "-conns", "x", "-nonsense", "-rooms", "0", "-max-loss", "-1", "-frame", "none", "http://example.com/ws")
	r.expect(t, 2)
	for _, want := range []string{`invalid value "x" for flag -conns`, "-nonsense", "-rooms 0", "max-loss", "-frame", "not a ws:// or wss:// URL"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("the message does not have %q:\n%s", want, r.stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	r := hubload(t, "-h")
	r.expect(t, 0)
	for _, want := range []string{"Connections\n", "  -conns connections\n", "(default 1000)", "Thresholds", "Exit status:"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the help does not have %q:\n%s", want, r.stdout)
		}
	}
}
