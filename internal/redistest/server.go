package redistest

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// readyTimeout is how long a server, a cluster or a failover may take to be there.
const readyTimeout = 30 * time.Second

// Server is one redis-server. Its methods are for one goroutine.
type Server struct {
	t        testing.TB
	dir      string
	port     int
	tlsPort  int
	args     []string
	sentinel bool
	process  *testenv.Process
}

// Start starts a server without persistence. settings are those of redis.conf, such as "appendonly yes".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := newServer(t, settings...)
	s.Restart()
	return s
}

func newServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), port: testenv.FreePort(t, 10_000)} // where the bus of a cluster is
	for _, setting := range append([]string{"save ''", "appendfsync always", "repl-diskless-sync-delay 0"}, settings...) {
		name, value, _ := strings.Cut(setting, " ")
		s.args = append(s.args, "--"+name)
		s.args = append(s.args, strings.Fields(strings.ReplaceAll(value, "''", "\x00"))...)
	}
	for i, a := range s.args {
		s.args[i] = strings.ReplaceAll(a, "\x00", "")
	}
	return s
}

// Addr is where the server listens: host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Restart starts the server, again after Kill or Stop: on the same port and with the files it has left.
func (s *Server) Restart() {
	s.t.Helper()
	path := testenv.RequireTool(s.t, "redis-server")
	args := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir}, s.args...)
	if s.sentinel {
		args = []string{filepath.Join(s.dir, "sentinel.conf"), "--sentinel"}
	}
	s.process = testenv.Start(s.t, testenv.Command{Path: path, Args: args, Dir: s.dir})
	s.await("to answer", func() bool {
		_, err := do(s.Addr(), "PING")
		return err == nil
	})
}

// Stop asks the server to end and waits for it.
func (s *Server) Stop() {
	s.process.Stop()
}

// Kill ends the server as a crash would.
func (s *Server) Kill() {
	s.process.Kill()
}

// Forget makes the server lose its data by a crash, and restarts it.
func (s *Server) Forget() {
	s.t.Helper()
	s.Kill()
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.Restart()
}

// Do sends a command and returns the answer as text, the elements of a list on lines of their own. An
// error fails the test.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	answer, err := do(s.Addr(), args...)
	if err != nil {
		s.t.Fatalf("%s: %s: %v", s.Addr(), strings.Join(args, " "), err)
	}
	return answer
}

// Try is Do for a command that may fail.
func (s *Server) Try(args ...string) (string, error) { return do(s.Addr(), args...) }

// await polls until done returns true.
func (s *Server) await(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(readyTimeout); !done(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.process.Done():
			s.t.Fatalf("redis-server ended; it said:\n%s", s.process.Output())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s %s; it said:\n%s", s.Addr(), what, s.process.Output())
		}
	}
}
