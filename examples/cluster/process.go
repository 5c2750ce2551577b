package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a server that this program has started.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // why; set before done is closed

	meant bool // it was told to end; of the goroutine that says so
}

// launch starts a program; ended hears of its end. What it writes goes to our standard error.
func launch(name string, ended chan<- *process, path string, args ...string) (*process, error) {
	//nolint:gosec // What it starts is this program, or found by find.
	p := &process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = os.Stderr, os.Stderr
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
		ended <- p
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the process to end, and kills it after the grace time. It returns when it is gone.
func (p *process) stop(grace time.Duration) error {
	p.meant = true
	if err := p.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		<-p.done
		return nil
	}
	select {
	case <-p.done:
		if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil // that is how HAProxy ends
		}
		return p.err
	case <-time.After(grace):
		p.kill()
		return fmt.Errorf("%s had not ended after %v", p.name, grace)
	}
}

// kill ends the process at once, as a crash would.
func (p *process) kill() {
	p.meant = true
	_ = p.cmd.Process.Kill() // an error means that it is gone
	<-p.done
}

// find returns the path of an installed program. Servers may live where the PATH of most users does not lead.
func find(name string) (string, error) {
	for _, at := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: on Debian, apt-get install %s", name, name)
}
