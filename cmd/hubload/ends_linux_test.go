package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/report"
)

// running is a command that has begun to measure.
type running struct {
	cmd  *exec.Cmd
	file string
	out  *until
}

// until is the output of a command, and closes seen when a line matches.
type until struct {
	line *regexp.Regexp
	seen chan struct{}
	b    bytes.Buffer
}

func (u *until) Write(b []byte) (int, error) {
	before := u.line.Match(u.b.Bytes())
	u.b.Write(b)
	if !before && u.line.Match(u.b.Bytes()) {
		close(u.seen)
	}
	return len(b), nil
}

// begin starts a long test on two processes and returns when it measures.
func begin(t *testing.T, args ...string) *running {
	t.Helper()
	cmd, file := command(t, append([]string{serveHub(t), "-conns", "20", "-procs", "2", "-duration", "10m", "-rate", "50"}, args...)...)
	r := &running{cmd, file, &until{line: regexp.MustCompile(`measuring .*[1-9]\d* delivered`), seen: make(chan struct{})}}
	cmd.Stdout, cmd.Stderr = r.out, r.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.out.seen:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("does not measure:\n%s", &r.out.b)
	}
	return r
}

// wait returns the exit status and what was written.
func (r *running) wait(t *testing.T) (int, report.Result) {
	t.Helper()
	err := r.cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	var result report.Result
	b, err := os.ReadFile(r.file)
	if err == nil {
		err = json.Unmarshal(b, &result)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &r.out.b)
	}
	return r.cmd.ProcessState.ExitCode(), result
}

// workers are the processes that a command has started.
func workers(t *testing.T, cmd *exec.Cmd) (pids []int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", cmd.Process.Pid, task.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for pid := range strings.FieldsSeq(string(b)) {
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, n)
		}
	}
	if len(pids) != 2 {
		t.Fatalf("%d workers, want 2", len(pids))
	}
	return pids
}

// gone waits until a process is no more, or only its exit status is.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %d lives on", pid)
		}
	}
}

func TestInterruptEndsInOrder(t *testing.T) {
	t.Parallel()
	r := begin(t, "-max-loss", "0", "-max-closed", "0")
	pids := workers(t, r.cmd)
	// Ctrl-C reaches the whole group.
	for _, pid := range append(pids, r.cmd.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	status, result := r.wait(t)
	if status != 0 || !result.Interrupted || result.Outcome != report.Held {
		t.Errorf("exit status %d, interrupted %t, %s %s", status, result.Interrupted, result.Outcome, result.Fault)
	}
	if d := result.Deliveries; d.Received == 0 || d.Received != d.Expected {
		t.Errorf("deliveries %+v", d)
	}
	if !strings.Contains(r.out.b.String(), "interrupted") {
		t.Errorf("it does not say so:\n%s", &r.out.b)
	}
	for _, pid := range pids {
		gone(t, pid)
	}
}

func TestKilledWorkerIsReported(t *testing.T) {
	t.Parallel()
	r := begin(t)
	pids := workers(t, r.cmd)
	if err := syscall.Kill(pids[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	status, result := r.wait(t)
	if status != 3 || result.Outcome != report.Broken || !strings.Contains(result.Fault, "killed") {
		t.Errorf("exit status %d, %s: %q", status, result.Outcome, result.Fault)
	}
	faults := 0
	for _, p := range result.Processes {
		if p.Fault != "" {
			faults++
		}
	}
	if faults != 1 || result.Deliveries.Received == 0 {
		t.Errorf("%d processes have a fault, %d deliveries", faults, result.Deliveries.Received)
	}
	gone(t, pids[0])
}

func TestWorkersEndWithTheirParent(t *testing.T) {
	t.Parallel()
	r := begin(t)
	pids := workers(t, r.cmd)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait() // killed
	for _, pid := range pids {
		gone(t, pid)
	}
}

// limited runs the command under a limit of open files.
func limited(t *testing.T, files int, args ...string) ran {
	t.Helper()
	cmd, file := command(t, args...)
	cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, files), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return finish(t, cmd, file, cmd.Run)
}

func TestOpenFileLimit(t *testing.T) {
	t.Parallel()
	url := serveHub(t)
	r := limited(t, 100, url, "-conns", "100", "-rooms", "2", "-duration", "500ms", "-rate", "20", "-max-loss", "0", "-max-failed", "0")
	r.expect(t, 0)
	if n := len(r.result.Processes); n != 3 || r.result.Connections.Peak != 100 {
		t.Errorf("%d processes, %d connections", n, r.result.Connections.Peak)
	}
	for _, p := range r.result.Processes {
		if p.FDs < 33 || p.FDs > p.FDLimit || p.FDLimit != 100 {
			t.Errorf("%+v", p)
		}
	}
	if !strings.Contains(strings.Join(r.result.Warnings, " "), "file descriptors") {
		t.Errorf("warnings %q", r.result.Warnings)
	}
	r = limited(t, 100, url, "-conns", "100", "-procs", "2")
	r.expect(t, 3)
	for _, want := range []string{"50 connections do not fit", "100 open files", "LimitNOFILE="} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("the message does not have %q:\n%s", want, r.stderr)
		}
	}
}
