package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// serve is the life of a part: it takes orders until there is nobody to give any.
func serve(role, spec string) error {
	s := rpc.NewServer()
	var err error
	switch role {
	case "node":
		err = receive(s, spec, newNode)
	case "crowd":
		err = receive(s, spec, newCrowd)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		return err
	}
	s.ServeConn(struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
	return nil
}

func receive[Spec, Part any](s *rpc.Server, text string, newPart func(Spec) (Part, error)) error {
	var spec Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	p, err := newPart(spec)
	if err != nil {
		return err
	}
	return s.RegisterName("Part", p)
}

// part is a process that belongs to a trial. It dies with the thread that started it, whatever that dies of, so
// all are started by one that lives as long as the program.
type part struct {
	name   string
	cmd    *exec.Cmd
	orders *rpc.Client // nil for Redis
	stderr said
	done   chan struct{}
}

// launch starts a program. gone is called when it ends before kill was.
func launch(name string, cmd *exec.Cmd, orders bool) (*part, error) {
	p := &part{name: name, cmd: cmd, done: make(chan struct{})}
	// A group of its own, or the terminal's interrupt would reach it before it does us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = &p.stderr
	if orders {
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		p.orders = rpc.NewClient(struct {
			io.Reader
			io.WriteCloser
		}{out, in})
	} else {
		cmd.Stdout = &p.stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		_, _ = cmd.Process.Wait()
	}()
	return p, nil
}

// order has the part do something and waits for the answer.
func (p *part) order(ctx context.Context, what string, arg, answer any) error {
	call := p.orders.Go("Part."+what, arg, answer, make(chan *rpc.Call, 1))
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-call.Done:
	}
	if call.Error == nil {
		return nil
	}
	if errors.Is(call.Error, rpc.ErrShutdown) || errors.Is(call.Error, io.ErrUnexpectedEOF) {
		<-p.done
		return fmt.Errorf("%s has ended: %s", p.name, p.stderr.tail())
	}
	return fmt.Errorf("%s: %s: %w", p.name, what, call.Error)
}

// kill ends the part as a crash would and returns when it is gone.
func (p *part) kill() {
	_ = p.cmd.Process.Kill() // an error means that it is gone
	<-p.done
	if p.orders != nil {
		_ = p.orders.Close()
	}
}

// said keeps the end of what a process says.
type said struct {
	mu  sync.Mutex
	end []byte
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 2000
	s.end = append(s.end, b...)
	s.end = s.end[max(0, len(s.end)-most):]
	return len(b), nil
}

func (s *said) tail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(bytes.TrimSpace(s.end))
}
