package client_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// TestCancel ends Run wherever it may be.
func TestCancel(t *testing.T) {
	cause := errors.New("enough")
	dialing := make(chan struct{}, 1)
	tests := []struct {
		name string
		opts []client.Option
		upTo func(t *testing.T, s *server)
	}{
		{"fetching a token", []client.Option{client.WithToken(func(ctx context.Context) (string, error) {
			dialing <- struct{}{}
			<-ctx.Done()
			return "", ctx.Err()
		})}, func(t *testing.T, _ *server) { receive(t, dialing) }},
		{"dialing", []client.Option{client.WithDialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialing <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		})}, func(t *testing.T, _ *server) { receive(t, dialing) }},
		{"before the HTTP answer", nil, func(t *testing.T, _ *server) { receive(t, dialing) }},
		{"before welcome", nil, func(_ *testing.T, s *server) { s.accept().want(protocol.OpHello) }},
		{"connected", nil, func(_ *testing.T, s *server) { s.greet() }},
		{"waiting for the next try", []client.Option{client.WithDialer(func(context.Context, string, string) (net.Conn, error) {
			dialing <- struct{}{}
			return nil, backoff.Hinted(errors.New("no"), time.Hour, 0)
		})}, func(t *testing.T, _ *server) { receive(t, dialing) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			if tt.name == "before the HTTP answer" {
				s.answer(func(_ http.ResponseWriter, r *http.Request) bool {
					dialing <- struct{}{}
					<-r.Context().Done()
					return true
				})
			}
			c := newClient(t, s.url, tt.opts...)
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			tt.upTo(t, s)
			cancel(cause)
			err := receive(t, ended)
			if !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
				t.Errorf("Run returned %v", err)
			}
		})
	}
}

func TestClose(t *testing.T) {
	s := newServer(t)
	states, onState := collect[client.State](100)
	c := newClient(t, s.url, client.OnState(onState))
	r := run(t, c)
	p, _ := s.greet()
	awaitStatus(t, states, client.Connected)
	closed := make(chan error, 4)
	for range 4 {
		go func() { closed <- c.Close() }()
	}
	if code := p.goodbye(); code != websocket.CloseNormalClosure {
		t.Errorf("client closed with %d", code)
	}
	for range 4 {
		if err := receive(t, closed); err != nil {
			t.Error("Close returned", err)
		}
	}
	if err := r.end(); !errors.Is(err, client.ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Error("Run returned", err)
	}
	if err := c.Run(t.Context()); !errors.Is(err, client.ErrRunning) {
		t.Error("second Run returned", err)
	}
	if _, err := c.Subscribe("r", func(client.Message) {}); !errors.Is(err, client.ErrClosed) {
		t.Error("Subscribe returned", err)
	}
	if _, err := c.Call(t.Context(), "m", nil); !errors.Is(err, client.ErrClosed) {
		t.Error("Call returned", err)
	}
}

// TestCloseTellsWhy: a client that has ended by itself says why when it is closed.
func TestCloseTellsWhy(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	r := run(t, c)
	p, _ := s.greet()
	p.close(protocol.CloseDisconnected, "signed out")
	ended := r.end()
	for range 2 {
		e, ok := errors.AsType[*client.CloseError](c.Close())
		if !ok || e.Code != protocol.CloseDisconnected || !errors.Is(ended, e) {
			t.Errorf("Close returned %v after Run returned %v", e, ended)
		}
	}
	canceled := newClient(t, s.url)
	r = run(t, canceled)
	s.greet()
	r.cancel()
	if err := r.end(); !errors.Is(err, context.Canceled) {
		t.Error("Run returned", err)
	}
	if err := canceled.Close(); err != nil {
		t.Error("Close returned", err, "where the context has ended Run")
	}
}

// TestDefaultLogger: without an option a client logs where the program logs.
func TestDefaultLogger(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	s := newServer(t)
	c, err := client.New(s.url)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, c)
	p, _ := s.greet()
	p.close(protocol.CloseDisconnected, "signed out")
	_ = r.end()
	if !strings.Contains(log.String(), "hubkit client closed") {
		t.Errorf("logged: %s", log.String())
	}
}

func TestCloseBeforeRun(t *testing.T) {
	c := newClient(t, "ws://127.0.0.1:1")
	sub, err := c.Subscribe("r", func(client.Message) {})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.PublishAsync("r", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Error("publication ended with", err)
	}
	if err := sub.Ready(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Error("Ready returned", err)
	}
	if err := c.Run(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Error("Run returned", err)
	}
}
