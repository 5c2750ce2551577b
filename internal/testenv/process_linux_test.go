package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func isReady(line string) bool { return strings.HasPrefix(line, "ready") }

func TestProcessTalks(t *testing.T) {
	said := make(chan string, 10)
	c := program("echo")
	c.Ready = isReady
	c.Stdout = func(line string) { said <- line }
	p := Start(t, c)
	if got, want := p.ReadyLine(), "ready to echo"; got != want {
		t.Errorf("ReadyLine() = %q, want %q", got, want)
	}
	if err := p.WriteLine("hello"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"starting", "ready to echo", "echo hello"} {
		if got := <-said; got != want {
			t.Errorf("line %q, want %q", got, want)
		}
	}
	p.Stop()
	p.Stop()
	if got, want := p.Output(), "starting\nready to echo\necho hello\n"; got != want {
		t.Errorf("Output() = %q, want %q", got, want)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal after Stop: %v, want os.ErrProcessDone", err)
	}
	if err := p.WriteLine("hello"); err == nil {
		t.Error("WriteLine after Stop: no error")
	}
}

func TestProcessReadyOnStderr(t *testing.T) {
	c := program("stderr")
	c.Ready = isReady
	Start(t, c)
}

func TestProcessNotReady(t *testing.T) {
	tests := []struct {
		mode, want string
	}{
		{"crash", "ended before it was ready: exit status 3; it said:\ncannot bind\n"},
		{"silent", "not ready within 50ms; it said:\n"},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			c := program(tt.mode)
			c.Ready = isReady
			if tt.mode == "silent" {
				c.ReadyTimeout = 50 * time.Millisecond
			}
			_, err := start(c)
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("start: %v, want one that ends in %q", err, tt.want)
			}
		})
	}
}

func TestProcessNotFound(t *testing.T) {
	if _, err := start(Command{Path: "/nonexistent"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("start: %v, want os.ErrNotExist", err)
	}
}

func TestStopEndsBySignal(t *testing.T) {
	tests := []struct {
		name   string
		mode   string
		paused bool
		want   syscall.Signal
	}{
		{"asked", "echo", false, syscall.SIGTERM},
		{"deaf", "deaf", false, syscall.SIGKILL},
		{"paused", "echo", true, syscall.SIGTERM},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := program(tt.mode)
			c.Ready = isReady
			if tt.mode == "deaf" {
				c.StopGrace = 50 * time.Millisecond
			}
			p := Start(t, c)
			if tt.paused {
				if err := p.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			p.Stop()
			var exit *exec.ExitError
			if err := p.Wait(t.Context()); !errors.As(err, &exit) {
				t.Fatalf("Wait: %v, want an ExitError", err)
			}
			if got := exit.Sys().(syscall.WaitStatus).Signal(); got != tt.want {
				t.Errorf("ended by %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	p := Start(t, program("silent"))
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if err := p.Wait(ctx); !errors.Is(err, cause) {
		t.Errorf("Wait: %v, want %v", err, cause)
	}
}

func TestGrandchildGoesToo(t *testing.T) {
	c := program("parent")
	c.Ready = isReady
	p := Start(t, c)
	grandchild := pidIn(t, p.ReadyLine())
	if !alive(grandchild) {
		t.Fatal("the grandchild is not running")
	}
	p.Stop()
	awaitDeath(t, grandchild)
}

func TestNoOrphan(t *testing.T) {
	c := program("tester")
	c.Ready = isReady
	p := Start(t, c)
	orphan := pidIn(t, p.ReadyLine())
	if !alive(orphan) {
		t.Fatal("the process is not running")
	}
	// The tester's process is in a group of its own, so nothing but the kernel can end it now.
	p.Kill()
	awaitDeath(t, orphan)
}

func TestProcessEndsWithItsTest(t *testing.T) {
	var p *Process
	t.Run("inner", func(t *testing.T) { p = Start(t, program("silent")) })
	select {
	case <-p.Done():
	default:
		t.Error("still running after its test")
	}
}

func pidIn(t *testing.T, line string) int {
	t.Helper()
	var pid int
	if _, err := fmt.Sscanf(line, "ready %d", &pid); err != nil {
		t.Fatalf("no process ID in %q: %v", line, err)
	}
	return pid
}

// alive reports whether a process runs; one that is dead and not yet reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still running", pid)
		}
	}
}
