package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// group is the servers of one run.
type group struct{ members []*member }

type member struct {
	cmd    *exec.Cmd
	output bytes.Buffer
}

// start runs a program until stop.
func (g *group) start(ctx context.Context, name string, args ...string) error {
	m := &member{cmd: command(ctx, name, args...)}
	m.cmd.Stdout, m.cmd.Stderr = &m.output, &m.output
	if err := m.cmd.Start(); err != nil {
		return err
	}
	g.members = append(g.members, m)
	return nil
}

// stop ends them, the last one first, and tells what they had to say.
func (g *group) stop() error {
	var faults []error
	for _, m := range slices.Backward(g.members) {
		// A process that has ended already cannot be signaled; Wait says why it did.
		_ = m.cmd.Process.Signal(syscall.SIGTERM)
		err := m.cmd.Wait()
		if out := tail(m.output.Bytes()); err != nil || len(out) > 0 {
			faults = append(faults, fmt.Errorf("%s: %s: %s", m.cmd.Path, m.cmd.ProcessState, out))
		}
	}
	return errors.Join(faults...)
}

// server starts a benchmark server and returns its address when it answers.
func (g *group) server(ctx context.Context, name string, args []string) (addr string, err error) {
	if addr, err = freeAddr(); err != nil {
		return "", err
	}
	if err := g.start(ctx, name, append([]string{"-addr", addr}, args...)...); err != nil {
		return "", err
	}
	return addr, await(ctx, name, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/stats", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

// redis starts a Redis server that keeps nothing on disk and returns its address when it listens.
func (g *group) redis(ctx context.Context) (addr string, err error) {
	if addr, err = freeAddr(); err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	err = g.start(ctx, "redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no",
		"--loglevel", "warning")
	if err != nil {
		return "", err
	}
	return addr, await(ctx, "redis-server", func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// freeAddr asks the system for a port and gives it back: the server takes it a moment later.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// await tries until the server answers.
func await(ctx context.Context, name string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come up: %w", name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
