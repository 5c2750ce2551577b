package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// measure runs fresh servers and a load process against them.
func measure(ctx context.Context, bin string, t test, p peer, o *options) (r result.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	var g group
	defer func() {
		if ended := g.stop(); err != nil {
			err = errors.Join(err, ended)
		}
	}()
	serverArgs := append(t.serverArgs(), p.args...)
	var loadArgs []string
	if t.kind == "nodes" {
		redisAddr, err := g.redis(ctx)
		if err != nil {
			return r, err
		}
		serverArgs = append(serverArgs, "-redis", redisAddr)
		publisherAddr, err := g.server(ctx, binary(bin, p.dir), serverArgs)
		if err != nil {
			return r, err
		}
		loadArgs = []string{"-publisher", publisherAddr, "-redis", redisAddr}
	}
	addr, err := g.server(ctx, binary(bin, p.dir), serverArgs)
	if err != nil {
		return r, err
	}
	loadArgs = append(loadArgs, "-addr", addr, "-timeout", o.timeout.String())
	loadArgs = append(append(loadArgs, t.loadArgs(o)...), p.load...)
	return drive(ctx, binary(bin, loadDir), loadArgs)
}

// drive runs the load client and reads its result.
func drive(ctx context.Context, name string, args []string) (r result.Result, err error) {
	load := command(ctx, name, args...)
	var stderr bytes.Buffer
	load.Stderr = &stderr
	out, err := load.Output()
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, tail(stderr.Bytes()))
	}
	err = json.Unmarshal(out, &r)
	return r, err
}

// command is killed a little after it was asked to stop, when ctx ends.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // name is a file that build made, or redis-server
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// tail is the end of what a process had to say.
func tail(b []byte) []byte {
	const most = 1000
	return bytes.TrimSpace(b[max(0, len(b)-most):])
}
