package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/result"
)

const loadDir = "load"

// binary is the file a folder is built into.
func binary(bin, dir string) string { return filepath.Join(bin, filepath.Base(dir)) }

// build compiles the load client and the peers and returns where they are.
func build(ctx context.Context, ps []peer) (string, error) {
	bin, err := os.MkdirTemp("", "hubkit-bench-")
	if err != nil {
		return "", err
	}
	built := make(map[string]bool)
	for _, dir := range append([]string{loadDir}, dirs(ps)...) {
		if built[dir] {
			continue
		}
		built[dir] = true
		//nolint:gosec // dir is one of the table of peers
		cmd := exec.CommandContext(ctx, "go", "build", "-o", binary(bin, dir), "./"+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			_ = os.RemoveAll(bin)
			return "", fmt.Errorf("build %s: %w\n%s", dir, err, out)
		}
	}
	return bin, nil
}

func dirs(ps []peer) (ds []string) {
	for _, p := range ps {
		ds = append(ds, p.dir)
	}
	return ds
}

// measure runs a fresh server and a load process against it.
func measure(ctx context.Context, bin string, t test, p peer, o *options) (result.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	addr, err := freeAddr()
	if err != nil {
		return result.Result{}, err
	}
	args := append([]string{"-addr", addr}, t.serverArgs()...)
	var serverErr bytes.Buffer
	server := command(ctx, binary(bin, p.dir), append(args, p.args...)...)
	server.Stderr = &serverErr
	if err := server.Start(); err != nil {
		return result.Result{}, err
	}
	r, err := drive(ctx, bin, addr, t, p, o)
	// A process that has ended already cannot be signaled; Wait says why it did.
	_ = server.Process.Signal(syscall.SIGTERM)
	ended := server.Wait()
	if err != nil {
		return r, fmt.Errorf("%w; the server: %s", errors.Join(err, ended), tail(serverErr.Bytes()))
	}
	return r, nil
}

// command is killed a little after it was asked to stop, when ctx ends.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // name is a file that build made
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func drive(ctx context.Context, bin, addr string, t test, p peer, o *options) (result.Result, error) {
	var r result.Result
	if err := awaitServer(ctx, addr); err != nil {
		return r, err
	}
	args := append([]string{"-addr", addr, "-timeout", o.timeout.String()}, t.loadArgs(o)...)
	load := command(ctx, binary(bin, loadDir), append(args, p.load...)...)
	var stderr bytes.Buffer
	load.Stderr = &stderr
	out, err := load.Output()
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, tail(stderr.Bytes()))
	}
	err = json.Unmarshal(out, &r)
	return r, err
}

// freeAddr asks the system for a port and gives it back: the server takes it a moment later.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitServer polls until the server answers.
func awaitServer(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/stats", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("server did not come up: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail is the end of what a process had to say.
func tail(b []byte) []byte {
	const most = 1000
	return bytes.TrimSpace(b[max(0, len(b)-most):])
}
