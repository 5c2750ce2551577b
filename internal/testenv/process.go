package testenv

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	defaultReadyTimeout = 30 * time.Second
	defaultStopGrace    = 5 * time.Second
)

// Command says which program to start and how to know that it is ready.
type Command struct {
	// Path is the program, as RequireTool returns it.
	Path string
	Args []string
	Dir  string
	// Env is added to the environment of the test.
	Env []string

	// Ready picks the line of output, standard or error, after which the process can be used. Nil
	// means that it can be used at once.
	Ready func(line string) bool
	// ReadyTimeout bounds the wait for that line; zero means 30 seconds.
	ReadyTimeout time.Duration
	// StopGrace is the time between SIGTERM and SIGKILL; zero means 5 seconds.
	StopGrace time.Duration

	// Stdout, when set, gets each line of the standard output, without its newline, on one
	// goroutine of the process, the ready line included. It must not block for long: the
	// process waits.
	Stdout func(line string)
}

// Process is a running program. Its methods may be called from several goroutines.
type Process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	grace time.Duration
	out   *tail

	ready     chan struct{} // closed at the ready line
	readyOnce sync.Once
	readyLine string

	done chan struct{} // closed when the process and what it started are gone
	err  error         // what Wait returned; set before done is closed
}

// Start starts a process and returns when it is ready. The test fails when it ends before, or is not
// ready in time. The process is stopped when the test ends, and the end of its output is logged when the test
// has failed.
func Start(t testing.TB, c Command) *Process {
	t.Helper()
	p, err := start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s [%d] said:\n%s", c.Path, p.PID(), p.Output())
		}
	})
	return p
}

func start(c Command) (*Process, error) {
	p := &Process{
		cmd:   exec.Command(c.Path, c.Args...),
		grace: c.StopGrace,
		out:   new(tail),
		ready: make(chan struct{}),
		done:  make(chan struct{}),
	}
	if p.grace == 0 {
		p.grace = defaultStopGrace
	}
	if c.ReadyTimeout == 0 {
		c.ReadyTimeout = defaultReadyTimeout
	}
	p.cmd.Dir = c.Dir
	p.cmd.Env = append(os.Environ(), c.Env...)
	stdout := &lines{each: func(line string) { p.sawLine(line, c.Ready, c.Stdout) }}
	stderr := &lines{each: func(line string) { p.sawLine(line, c.Ready, nil) }}
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	p.cmd.WaitDelay = time.Second // for a pipe that something outside the group still holds
	p.cmd.SysProcAttr = attributes()
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin

	started := make(chan error, 1)
	go p.own(started, stdout, stderr)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	if c.Ready == nil {
		return p, nil
	}
	if err := p.awaitReady(c.ReadyTimeout); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%s: %w; it said:\n%s", c.Path, err, p.Output())
	}
	return p, nil
}

// own starts the process and waits for its end, on one OS thread: the kernel sends the parent-death
// signal when the thread that started the process ends, not when the whole program does.
func (p *Process) own(started chan<- error, streams ...*lines) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	awaitExit(p.cmd.Process.Pid)
	killGroup(p.cmd.Process.Pid)
	p.err = p.cmd.Wait()
	for _, s := range streams {
		s.flush()
	}
	close(p.done)
}

func (p *Process) awaitReady(timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.ready:
		return nil
	case <-p.done:
		return fmt.Errorf("ended before it was ready: %v", p.cmd.ProcessState)
	case <-timer.C:
		return fmt.Errorf("not ready within %v", timeout)
	}
}

// sawLine is called for each line of output, from one goroutine for each of the two streams.
func (p *Process) sawLine(line string, ready func(string) bool, each func(string)) {
	p.out.add(line)
	if each != nil {
		each(line)
	}
	if ready != nil && ready(line) {
		p.readyOnce.Do(func() {
			p.readyLine = line
			close(p.ready)
		})
	}
}

// PID returns the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ReadyLine returns the line that Command.Ready picked.
func (p *Process) ReadyLine() string {
	select {
	case <-p.ready:
		return p.readyLine
	default:
		return ""
	}
}

// Output returns the end of what the process has said so far, at most 64 KiB.
func (p *Process) Output() string { return p.out.String() }

// WriteLine writes a line to the standard input of the process. It blocks while the process does
// not read.
func (p *Process) WriteLine(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// Signal sends a signal to the process alone. After SIGSTOP it returns when all threads have stopped. After the end of the process it
// returns os.ErrProcessDone.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	awaitSignal(p.cmd.Process.Pid, sig)
	return nil
}

// Done is closed when the process has ended, with all it started.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end and returns what exec.Cmd.Wait returned, or the cause of ctx's end.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stop ends the process: SIGTERM, and SIGKILL after the grace time. It returns when the process is
// gone. A process that was stopped with SIGSTOP is continued first. Stopping twice does nothing.
func (p *Process) Stop() {
	if err := terminate(p.cmd.Process); err == nil {
		timer := time.NewTimer(p.grace)
		defer timer.Stop()
		select {
		case <-p.done:
			return
		case <-timer.C:
		}
	}
	p.Kill()
}

// Kill ends the process at once, as a crash would, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // an error means that it is gone
	<-p.done
}
