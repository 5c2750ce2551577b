package hub_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// TestRawTextMustBeUTF8: browsers fail a connection that gets text which is not. The caller hears of it, and nobody else.
func TestRawTextMustBeUTF8(t *testing.T) {
	half := []byte("Grüße"[:3])
	s := start(t, hub.WithRaw(), hub.WithAuthenticator(asUser))
	conns := make(chan *hub.Conn, 1)
	s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		err := c.Join(ctx, "all")
		conns <- c
		return err
	})
	cl := s.connect(t, map[string][]string{"X-User": {"ada"}})
	c := receive(t, "OnConnect", conns)
	for name, send := range map[string]func() error{
		"Publish":  func() error { _, err := s.Publish(t.Context(), "all", half); return err },
		"Send":     func() error { return c.Send(half) },
		"SendUser": func() error { return s.SendUser(t.Context(), "ada", half) },
		"SendTo":   func() error { return s.SendTo(t.Context(), hub.ByRoom("all"), half) },
	} {
		if err := send(); !errors.Is(err, hub.ErrText) {
			t.Errorf("%s: %v, want ErrText", name, err)
		}
	}
	if err := c.SendBinary(half); err != nil {
		t.Fatal(err)
	}
	cl.expectRaw(websocket.BinaryMessage, string(half)) // and nothing came before it
}

// TestCloseCodes: whatever code the application gives, the client gets a close frame that it may read.
func TestCloseCodes(t *testing.T) {
	s := start(t, hub.WithRaw())
	refused := make(chan error, 1)
	s.OnMessage(func(_ context.Context, c *hub.Conn, m hub.Message) {
		code, err := strconv.ParseUint(string(m.Data), 10, 16)
		if err != nil {
			t.Error(err)
		}
		refused <- c.Close(protocol.CloseCode(code), "upstream")
	})
	for _, tt := range []struct{ code, want protocol.CloseCode }{
		{1000, 1000}, {1013, 1013}, {3000, 3000}, {4999, 4999},
		{0, 1011}, {999, 1011}, {1004, 1011}, {1005, 1011}, {1006, 1011}, {1015, 1011}, {1016, 1011}, {2999, 1011}, {5000, 1011}, {65535, 1011},
	} {
		c := s.connect(t, nil)
		c.write(strconv.Itoa(int(tt.code)))
		if err := receive(t, "Close", refused); errors.Is(err, hub.ErrCloseCode) != (tt.code != tt.want) {
			t.Errorf("Close(%d): %v", tt.code, err)
		}
		c.closed(tt.want)
	}
}

// TestCloseErrorWithoutCode is returned by callbacks.
func TestCloseErrorWithoutCode(t *testing.T) {
	s := start(t, hub.WithRaw())
	s.OnConnect(func(context.Context, *hub.Conn) error { return &hub.CloseError{Reason: "full"} })
	s.connect(t, nil).closed(protocol.CloseInternal)
}
