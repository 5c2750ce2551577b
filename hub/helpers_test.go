package hub_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/engine/fastpath"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must come. No test is meant to need it.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		os.Exit(runChild(job))
	}
	testenv.Main(m, goleak.IgnoreCurrent()) // ants starts two goroutines when it is imported
}

// serveEnv has all tests of the poller serve by Hub.Serve.
const serveEnv = "HUBKIT_TEST_SERVE"

// transport is one of the ways a connection takes through the hub.
type transport struct {
	name      string
	goroutine bool // the hub has no poller
	tls       bool
	cbor      bool // clients speak it, unless a test asks for something else
	door      bool // the hub accepts
	// sendBuffer, when set, is what the kernel keeps of what is sent.
	sendBuffer int
}

var (
	poller     = transport{name: "poller"}
	goroutines = transport{name: "goroutine", goroutine: true}
	overTLS    = transport{name: "tls", tls: true}
	byDoor     = transport{name: "door", door: true}
	byNetHTTP  = transport{name: "net/http"} // whatever serveEnv says
)

// overEach runs a test on every transport.
func overEach(t *testing.T, f func(t *testing.T, tr transport)) {
	t.Helper()
	for _, tr := range []transport{poller, goroutines, overTLS, byDoor} {
		t.Run(tr.name, func(t *testing.T) { f(t, tr) })
	}
}

// server is a hub behind a real HTTP server on loopback.
type server struct {
	*hub.Hub
	t    testing.TB
	http *httptest.Server
	web  *http.Client // for requests that are no handshakes
	url  string       // ws:// or wss://
	cbor bool         // clients speak it

	middleware *atomic.Pointer[func(http.ResponseWriter, *http.Request) http.ResponseWriter] // before the hub
}

// handle is the server's handler.
func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	if m := s.middleware.Load(); m != nil {
		w = (*m)(w, r)
	}
	s.ServeHTTP(w, r)
}

// start serves a hub on the transport that most connections have.
func start(t testing.TB, opts ...hub.Option) *server {
	t.Helper()
	return poller.start(t, opts...)
}

func (tr transport) start(t testing.TB, opts ...hub.Option) *server {
	t.Helper()
	opts = append([]hub.Option{
		hub.WithNode("n1"), hub.WithLogger(slog.New(slog.DiscardHandler)), hub.WithDrain(100 * time.Millisecond),
		// A ping comes at a random time, and one that waits for a client that does not read is counted among what waits.
		hub.WithHeartbeat(heartbeat.Disabled()),
		// A client that reads keeps up with a test that does not wait for it, whatever the kernel holds.
		hub.WithBacklog(1<<16, 64<<20),
	}, opts...)
	if tr.goroutine {
		opts = append(opts, hub.WithoutPoller())
	}
	h, err := hub.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Hub: h, t: t, http: httptest.NewUnstartedServer(h), cbor: tr.cbor}
	s.middleware = new(atomic.Pointer[func(http.ResponseWriter, *http.Request) http.ResponseWriter])
	s.http.Config.Handler = http.HandlerFunc(s.handle)
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tr.door || tr == poller && os.Getenv(serveEnv) != "" {
		s.openDoor(tr.sendBuffer)
		return s
	}
	if tr.sendBuffer > 0 {
		s.http.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			if tc, ok := c.(*tls.Conn); ok {
				c = tc.NetConn()
			}
			if err := c.(*net.TCPConn).SetWriteBuffer(tr.sendBuffer); err != nil {
				t.Error(err)
			}
			return ctx
		}
	}
	if tr.tls {
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	s.url, s.web = "ws"+strings.TrimPrefix(s.http.URL, "http"), s.http.Client()
	t.Cleanup(func() {
		if err := h.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		s.http.Close()
	})
	return s
}

// openDoor serves by Hub.Serve.
func (s *server) openDoor(sendBuffer int) {
	l, srv := s.http.Listener.(*net.TCPListener), s.http.Config
	if sendBuffer > 0 { // which accepted sockets inherit
		if err := setSendBuffer(l, sendBuffer); err != nil {
			s.t.Fatal(err)
		}
	}
	s.http.URL = "http://" + l.Addr().String()
	s.url = "ws://" + l.Addr().String()
	s.web = &http.Client{Transport: new(http.Transport)}
	s.t.Cleanup(s.web.CloseIdleConnections)
	served := make(chan error, 1)
	go func() { served <- s.Serve(srv, l) }()
	s.t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.t.Errorf("Close: %v", err)
		}
		_ = srv.Close() // of connections that net/http had
		if err := receive(s.t, "the end of Serve", served); !errors.Is(err, http.ErrServerClosed) {
			s.t.Errorf("Serve: %v", err)
		}
	})
}

// Handle is Hub.Handle, which is not to fail.
func (s *server) Handle(name string, fn hub.HandlerFunc, opts ...hub.HandleOption) {
	s.t.Helper()
	if err := s.Hub.Handle(name, fn, opts...); err != nil {
		s.t.Error(err)
	}
}

// HandleSurvey is Hub.HandleSurvey, which is not to fail.
func (s *server) HandleSurvey(name string, f hub.SurveyFunc) {
	s.t.Helper()
	if err := s.Hub.HandleSurvey(name, f); err != nil {
		s.t.Error(err)
	}
}

// dialer returns one that trusts the server.
func (s *server) dialer() *websocket.Dialer {
	d := &websocket.Dialer{HandshakeTimeout: patience}
	if strings.HasPrefix(s.url, "wss") {
		roots := s.http.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		d.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return d
}

// refusal is the answer to a handshake that failed.
type refusal struct {
	status     int
	retryAfter string
	body       string
}

// refused makes a handshake that must fail.
func (s *server) refused(t testing.TB, header http.Header) refusal {
	t.Helper()
	ws, resp, err := s.dialer().Dial(s.url, header)
	if err == nil {
		_ = resp.Body.Close()
		_ = ws.Close()
		t.Fatal("the handshake was accepted")
	}
	if resp == nil {
		t.Fatalf("handshake: %v", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it is in memory
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return refusal{resp.StatusCode, resp.Header.Get("Retry-After"), strings.TrimSpace(string(body))}
}

// bystander joins a client to room, which has to be an open one, and returns a function that fails the test unless
// a message to the room still arrives, and nothing else did.
func (s *server) bystander(t testing.TB, room string) (stillServed func()) {
	t.Helper()
	c := s.dial(t)
	c.write(`{"op":"join","room":"` + room + `"}`)
	c.expect(`{"op":"ok","room":"` + room + `"}`)
	return func() {
		t.Helper()
		if _, err := s.Publish(t.Context(), room, []byte(`"still here?"`)); err != nil {
			t.Fatalf("publish: %v", err)
		}
		c.expect(`{"op":"message","room":"` + room + `","data":"still here?"}`)
	}
}

// polls reports whether hubs have a poller here: the system has one, and HUBKIT_DEBUG has not turned it off.
func polls() bool { return netpoll.Supported && fastpath.Poller.Enabled() }

// await waits until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("never came true: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("never came: %s", what)
		panic("unreachable")
	}
}

// finished waits for a channel to be closed.
func finished(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("never ended: %s", what)
	}
}

// shutdown ends the server's hub in order.
func (s *server) shutdown(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatalf("Shutdown: %v", err)
	}
}
