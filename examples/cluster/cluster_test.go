package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// asSite makes the test binary the example itself, and the nodes that this starts.
const asSite = "HUBKIT_EXAMPLE_CLUSTER"

func TestMain(m *testing.M) {
	if os.Getenv(asSite) != "" {
		main()
		return
	}
	testenv.Main(m, goleak.IgnoreCurrent()) // ants starts goroutines when it is imported
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// freeAddr returns an address that is free and the ports after it too.
func freeAddr(t testing.TB) string {
	t.Helper()
	after := make([]int, ports)
	for i := range after {
		after[i] = i + 1
	}
	return fmt.Sprint("127.0.0.1:", testenv.FreePort(t, after...))
}

func free(addr string) error {
	for i := range ports + 1 {
		a, err := next(addr, i)
		if err != nil {
			return err
		}
		ln, err := net.Listen("tcp", a)
		if err != nil {
			return err
		}
		_ = ln.Close()
	}
	return nil
}

// running is the example in a process of its own.
type running struct {
	t    testing.TB
	addr string
	dir  string
	proc *testenv.Process

	mu      sync.Mutex
	said    []string
	heard   int
	stopped bool
}

// start starts the example with a load balancer.
func start(t testing.TB, proxy string, args ...string) *running {
	t.Helper()
	testenv.RequireTool(t, "redis-server")
	testenv.RequireTool(t, proxies[proxy].program)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, addr: freeAddr(t), dir: t.TempDir()}
	r.proc = testenv.Start(t, testenv.Command{
		Path: self,
		Args: append([]string{"-addr", r.addr, "-proxy", proxy, "-dir", r.dir, "-tick", "0"}, args...),
		// The race detector waits a second before it lets a program end.
		Env:       []string{asSite + "=1", "GORACE=atexit_sleep_ms=20"},
		Ready:     func(line string) bool { return strings.HasPrefix(line, "cluster: open http://") },
		StopGrace: 30 * time.Second,
		Stdout: func(line string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.said = append(r.said, line)
		},
	})
	t.Cleanup(r.stop)
	r.mu.Lock()
	r.heard = len(r.said)
	r.mu.Unlock()
	return r
}

// do types a command and waits for what answers it.
func (r *running) do(line, answer string) {
	r.t.Helper()
	if err := r.proc.WriteLine(line); err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, fmt.Sprintf("%q after %q", answer, line), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for ; r.heard < len(r.said); r.heard++ {
			if strings.HasPrefix(r.said[r.heard], "cluster: "+answer) {
				r.heard++
				return true
			}
		}
		return false
	})
}

// stop ends the example as Ctrl-C does, and wants it to end well and to leave nothing running.
func (r *running) stop() {
	if r.stopped {
		return
	}
	r.stopped = true
	if err := r.proc.Signal(os.Interrupt); err != nil {
		r.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.proc.Wait(ctx); err != nil {
		r.t.Errorf("the example ended with %v", err)
	}
	if err := free(r.addr); err != nil {
		r.t.Errorf("a server is left: %v", err)
	}
}

// handshake is what nginx's log says of one.
type handshake struct {
	status, cookie string
	nodes, answers []string // that were asked, in their order
}

var logLine = regexp.MustCompile(`"GET /ws\S* HTTP/1.1" (\d+) cookie=(\S+) upstream="([^"]*)" answers="([^"]*)"`)

// handshakes reads nginx's log, in which a WebSocket is when it has ended.
func (r *running) handshakes() (all []handshake) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "access.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	called := make(map[string]string) // a node, by its address
	for i, name := range names {
		addr, err := next(r.addr, i+1)
		if err != nil {
			r.t.Fatal(err)
		}
		called[addr] = name
	}
	for _, m := range logLine.FindAllStringSubmatch(string(text), -1) {
		h := handshake{status: m[1], cookie: m[2], answers: strings.Split(m[4], ", ")}
		for addr := range strings.SplitSeq(m[3], ", ") {
			h.nodes = append(h.nodes, called[addr])
		}
		all = append(all, h)
	}
	return all
}
