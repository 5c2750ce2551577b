package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// asServer makes the test binary the example itself.
const asServer = "HUBKIT_EXAMPLE_CHAT"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
		return
	}
	// Package ants, under the worker pool, starts goroutines when it is imported.
	testenv.Main(m, goleak.IgnoreCurrent())
}

// server is where a test starts the example, again and again on the same port.
type server struct {
	t     *testing.T
	addr  string
	state string
	args  []string
	proc  *testenv.Process
}

func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	addr := fmt.Sprint("127.0.0.1:", testenv.FreePort(t))
	return &server{t: t, addr: addr, state: filepath.Join(t.TempDir(), "history", "chat.snapshot"), args: args}
}

// startServer starts the example on a free port, with a state file of its own.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := newServer(t, args...)
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	proc := testenv.Start(s.t, testenv.Command{
		Path: self,
		Args: append([]string{"-addr", s.addr, "-state", s.state, "-drain", "200ms"}, s.args...),
		// The race detector waits a second before it lets a program end.
		Env:   []string{asServer + "=1", "GORACE=atexit_sleep_ms=20"},
		Ready: func(line string) bool { return strings.HasPrefix(line, "chat: http://") },
	})
	s.proc = proc
	s.t.Cleanup(func() {
		select {
		case <-proc.Done():
		default:
			s.stopped(proc)
		}
	})
}

// stop ends the server as an operator does, and wants it to end well.
func (s *server) stop() {
	s.t.Helper()
	s.stopped(s.proc)
}

func (s *server) stopped(proc *testenv.Process) {
	s.t.Helper()
	proc.Stop()
	if err := proc.Wait(context.Background()); err != nil {
		s.t.Errorf("the server ended with %v", err)
	}
}

func (s *server) url() string { return "http://" + s.addr + "/" }

func (s *server) get(path string) (status int, body string, header http.Header) {
	s.t.Helper()
	res, err := http.Get(s.url() + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		s.t.Fatal(err)
	}
	_, body, _ = strings.Cut(b.String(), "\r\n\r\n")
	return res.StatusCode, body, res.Header
}

// plain is a client as bare as "new WebSocket": no subprotocol, no hello.
type plain struct {
	t  *testing.T
	ws *websocket.Conn
}

// frame has the fields of the protocol that these tests look at.
type frame struct {
	Op, Room, Epoch, Code string
	ID, Offset            int
	Data                  json.RawMessage
}

func (s *server) dial(name string) *plain {
	s.t.Helper()
	u := "ws://" + s.addr + "/ws"
	if name != "" {
		u += "?name=" + url.QueryEscape(name)
	}
	ws, res, err := websocket.DefaultDialer.DialContext(s.t.Context(), u, nil)
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	_ = res.Body.Close()
	p := &plain{s.t, ws}
	s.t.Cleanup(func() { _ = ws.Close() })
	p.await("welcome")
	return p
}

func (p *plain) send(text string) {
	p.t.Helper()
	if err := p.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plain) next() frame {
	p.t.Helper()
	if err := p.ws.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	_, text, err := p.ws.ReadMessage()
	if err != nil {
		p.t.Fatal(err)
	}
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	return f
}

// await returns the next frame with the op and passes over others, but not over an error.
func (p *plain) await(op string) frame {
	p.t.Helper()
	for {
		f := p.next()
		if f.Op == op {
			return f
		}
		if f.Op == "error" {
			p.t.Fatalf("waiting for %s: error %s in %q", op, f.Code, f.Room)
		}
	}
}

// closeCode reads until the connection ends.
func (p *plain) closeCode(ctx context.Context) int {
	p.t.Helper()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	if err := p.ws.SetReadDeadline(deadline); err != nil {
		p.t.Fatal(err)
	}
	for {
		if _, _, err := p.ws.ReadMessage(); err != nil {
			if e, ok := err.(*websocket.CloseError); ok {
				return e.Code
			}
			p.t.Fatal(err)
		}
	}
}
