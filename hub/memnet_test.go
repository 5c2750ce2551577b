package hub_test

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gorilla/websocket"
)

// memnet is a network within the process, so that a hub and its clients can be on the clock of a synctest bubble.
type memnet struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (n *memnet) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *memnet) Close() error {
	close(n.closed)
	return nil
}

func (n *memnet) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

func (n *memnet) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	n.conns <- theirs
	return ours, nil
}

// timed is a hub on a memnet.
type timed struct {
	*hub.Hub
	net *memnet
}

// startTimed must be called in a bubble. stop must be called in it, too.
func startTimed(t *testing.T, opts ...hub.Option) (s timed, stop func()) {
	t.Helper()
	opts = append([]hub.Option{hub.WithLogger(slog.New(slog.DiscardHandler)), hub.WithoutPoller()}, opts...)
	h, err := hub.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	s = timed{h, &memnet{conns: make(chan net.Conn), closed: make(chan struct{})}}
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.net) }()
	return s, func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}
}

// end is how a connection ended.
type end struct {
	at  time.Time
	err error
}

// connect makes a client that reads, and answers pings, until its end.
func (s timed) connect(t *testing.T, ends chan<- end) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{NetDialContext: s.net.dial}
	ws, resp, err := d.Dial("ws://memory/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	go func() {
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				_ = ws.Close()
				ends <- end{time.Now(), err}
				return
			}
		}
	}()
	return ws
}
