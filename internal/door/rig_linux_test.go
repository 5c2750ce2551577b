package door

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/testenv"
)

const patience = 20 * time.Second

// side is one of the two that are compared.
type side struct {
	name  string
	serve func(*http.Server, net.Listener) error
}

var (
	netHTTP = side{"net/http", (*http.Server).Serve}
	theDoor = side{"door", func(srv *http.Server, l net.Listener) error { return Serve(srv, l, -1) }}
)

// onBoth runs a test of a server on both sides.
func onBoth(t *testing.T, f func(t *testing.T, s side)) {
	t.Helper()
	for _, s := range []side{netHTTP, theDoor} {
		t.Run(s.name, func(t *testing.T) {
			testenv.NoLeaks(t)
			f(t, s)
		})
	}
}

// running is a server.
type running struct {
	*http.Server
	t      testing.TB
	l      net.Listener
	served chan error
	logged *logged
}

func (s side) start(t testing.TB, srv *http.Server) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: srv, t: t, l: l, served: make(chan error, 1), logged: new(logged)}
	srv.ErrorLog = log.New(r.logged, "", 0)
	go func() { r.served <- s.serve(srv, l) }()
	t.Cleanup(func() { _ = srv.Close() })
	// The door is open when it has taken somebody in.
	c := r.dial()
	_, _ = io.WriteString(c, "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Rig: 1\r\n\r\n")
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
	return r
}

func (r *running) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.l.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// say dials and sends.
func (r *running) say(s string) *net.TCPConn {
	r.t.Helper()
	c := r.dial()
	if _, err := io.WriteString(c, s); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// ended waits until Serve has returned.
func (r *running) ended() error {
	r.t.Helper()
	select {
	case err := <-r.served:
		return err
	case <-time.After(patience):
		r.t.Fatal("Serve goes on")
		return nil
	}
}

// logged is what a server has logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// upgrade is a handshake; more are further lines.
func upgrade(path string, more ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		strings.Join(append(more, ""), "\r\n") + "\r\n"
}

// answer is a response without what differs between connections.
func answer(r io.Reader) (string, error) {
	res, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // it is read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d length %d %v trailer %s\n%s%s", res.StatusCode, res.ContentLength, res.TransferEncoding,
		fieldsOf(res.Trailer), fieldsOf(res.Header), body), nil
}

func fieldsOf(h http.Header) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(h)) {
		if k != "Date" && k != "Connection" {
			fmt.Fprintf(&b, "%s: %q\n", k, h[k])
		}
	}
	return b.String()
}

// recorder is a handler that answers with what it was asked.
func recorder(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s %s %v host %q uri %q close %v length %d te %v body %q %v\n", r.Method, r.URL, r.Proto, r.URL.Query(), r.Host,
		r.RequestURI, r.Close, r.ContentLength, r.TransferEncoding, body, err)
	_, _ = io.WriteString(w, fieldsOf(r.Header))
}

// await waits until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// eof reports whether the other side has ended the connection, in whatever way.
func eof(err error) bool {
	var timeout net.Error
	return err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
