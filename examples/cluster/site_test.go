package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What is tested is the files as they are, but for the addresses.
func TestConfigurations(t *testing.T) {
	used := make(map[string]bool)
	for name, p := range proxies {
		dir := t.TempDir()
		nodes := []string{"127.0.0.1:10001", "127.0.0.1:10002", "127.0.0.1:10003"}
		if err := p.write(dir, "127.0.0.1:10000", nodes); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for file, from := range p.files {
			used[from] = true
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		for _, addr := range append(nodes, "127.0.0.1:10000") {
			if !strings.Contains(all.String(), addr) {
				t.Errorf("%s: %s is not in its configuration", name, addr)
			}
		}
		if strings.Contains(all.String(), ":809") {
			t.Errorf("%s: a default address is left:\n%s", name, &all)
		}
	}
	err := fs.WalkDir(conf, "conf", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !used[strings.TrimPrefix(path, "conf/")] {
			t.Errorf("%s is not tested", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"argument", []string{"now"}, `unexpected argument "now"`},
		{"load balancer", []string{"-proxy", "apache"}, `no load balancer "apache"`},
		{"drain", []string{"-drain", "0s"}, "-drain must be positive"},
		{"tick", []string{"-tick", "-1s"}, "-tick must not be negative"},
		{"no port", []string{"-addr", "127.0.0.1"}, "want an IP address and a port"},
		{"no number", []string{"-addr", "127.0.0.1:http"}, "want an IP address and a port"},
		{"no address", []string{"-addr", ":8090"}, "want an IP address and a port"},
		{"no room above", []string{"-addr", "127.0.0.1:65533"}, "4 free ones after it"},
		{"taken", []string{"-addr", taken.Addr().String()}, "choose another -addr"},
		{"nothing installed", []string{"-addr", freeAddr(t)}, "apt-get install redis-server"},
		{"node without Redis", []string{"node", "-addr", "127.0.0.1:0"}, "redis"},
	}
	t.Setenv("PATH", "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := run(t.Context(), tt.args, strings.NewReader(""), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// signal sends a signal to a server, whose process the example has told.
func (r *running) signal(server string, sig os.Signal) {
	r.t.Helper()
	r.mu.Lock()
	said := strings.Join(r.said, "\n")
	r.mu.Unlock()
	m := regexp.MustCompile(`(?m)^cluster: ` + server + `\b.*, process (\d+)`).FindStringSubmatch(said)
	if m == nil {
		r.t.Fatalf("no word of %s in\n%s", server, said)
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		r.t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(p.Signal(sig), p.Release()); err != nil {
		r.t.Errorf("%s: %v", server, err)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	r := start(t, "nginx-cookie", "-drain", "100ms", "-tick", "10ms")
	for line, answer := range map[string]string{
		"kill z":  `"kill z": type kill`,
		"dance a": `"dance a": type kill`,
		"roll a":  `"roll a": type kill`,
		"start b": `"start b": it is running`,
	} {
		r.do(line, answer)
	}
	r.do("stop b", "node b has ended")
	r.do("start b", "node b is ready")

	// What dies by other hands is noticed. A node can be started again.
	r.signal("node a", os.Kill)
	r.do("", "node a has ended: signal: killed")
	r.do("start a", "node a is ready")
	// Without Redis it is over, and all the rest is stopped.
	r.signal("redis-server", os.Kill)
	r.stopped = true
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var exit *exec.ExitError
	if err := r.proc.Wait(ctx); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("without Redis the example ended with %v", err)
	}
	if out := r.proc.Output(); !strings.Contains(out, "cluster: redis-server has ended: signal: killed") {
		t.Errorf("it did not say why:\n%s", out)
	}
	if err := free(r.addr); err != nil {
		t.Errorf("a server is left: %v", err)
	}
}
