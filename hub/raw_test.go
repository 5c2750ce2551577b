package hub_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// expectRaw fails unless the next message is this one.
func (c *client) expectRaw(kind int, want string) {
	c.t.Helper()
	got, p, err := c.ws.ReadMessage()
	if err != nil || got != kind || string(p) != want {
		c.t.Fatalf("got %d %q, %v; want %d %q", got, p, err, kind, want)
	}
}

func TestRaw(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithRaw(), hub.WithAuthenticator(asUser))
		in := make(chan error, 2)
		s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
			err := c.Join(ctx, "all")
			in <- err
			return err
		})
		s.OnMessage(func(_ context.Context, c *hub.Conn, m hub.Message) {
			send := c.Send
			if m.Binary {
				send = c.SendBinary
			}
			if err := send(append([]byte("echo "), m.Data...)); err != nil {
				t.Error(err)
			}
		})
		a, b := s.connect(t, http.Header{"X-User": {"ada"}}), s.connect(t, nil)
		for range 2 { // nothing else tells a raw client that it is in
			if err := receive(t, "a join", in); err != nil {
				t.Fatal(err)
			}
		}
		const text, binary = websocket.TextMessage, websocket.BinaryMessage
		for kind, payload := range map[int]string{text: "not { JSON", binary: "\xff\x00\xfe"} {
			if err := a.ws.WriteMessage(kind, []byte(payload)); err != nil {
				t.Fatal(err)
			}
			a.expectRaw(kind, "echo "+payload)
		}
		if _, err := s.Publish(t.Context(), "all", []byte("to all")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(t.Context(), "all", []byte{0xff}, hub.Binary()); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{a, b} {
			c.expectRaw(text, "to all")
			c.expectRaw(binary, "\xff")
		}
		if err := s.SendUser(t.Context(), "ada", []byte("hi, ada")); err != nil {
			t.Fatal(err)
		}
		a.expectRaw(text, "hi, ada")
		b.write("")
		b.expectRaw(text, "echo ")

		b.writeBytes(masked(finBit|textFrame, "\xff"))
		b.closed(protocol.CloseInvalidPayload)
	})
}

// TestRawMessageIsKept: what a handler gets is its own.
func TestRawMessageIsKept(t *testing.T) {
	s := start(t, hub.WithRaw())
	kept := make(chan []byte, 3)
	s.OnMessage(func(_ context.Context, _ *hub.Conn, m hub.Message) { kept <- m.Data })
	c := s.connect(t, nil)
	for _, m := range []string{"first", "other", "third"} {
		c.write(m)
	}
	for _, want := range []string{"first", "other", "third"} {
		if got := receive(t, "OnMessage", kept); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRawTooFast(t *testing.T) {
	s := start(t, hub.WithRaw(), hub.WithRateLimit(0.001, 3))
	c := s.connect(t, nil)
	for range 4 {
		c.write("x")
	}
	c.hinted(protocol.CloseRateLimited)
}

func TestRawSubprotocols(t *testing.T) {
	s := start(t, hub.WithRaw(), hub.WithSubprotocols("chat.v2", "chat.v1"))
	for _, tt := range []struct {
		offered []string
		want    string
	}{
		{nil, ""},
		{[]string{"chat.v1"}, "chat.v1"},
		{[]string{"chat.v1", "chat.v2"}, "chat.v2"},
		{[]string{protocol.Subprotocol}, ""},
	} {
		if got := s.connect(t, nil, tt.offered...).ws.Subprotocol(); got != tt.want {
			t.Errorf("offered %v: got %q, want %q", tt.offered, got, tt.want)
		}
	}
}

// TestRawWithoutHandler: frames that nobody wants do no harm.
func TestRawWithoutHandler(t *testing.T) {
	s := start(t, hub.WithRaw())
	c := s.connect(t, nil)
	c.write("x")
	await(t, "it is read", func() bool { return s.Stats().Received == 1 })
	s.shutdownWith(t, c)
}

// shutdownWith ends the hub while a client answers its close frame.
func (s *server) shutdownWith(t testing.TB, c *client) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	c.hinted(protocol.CloseServiceRestart)
	if err := receive(t, "Shutdown", done); err != nil {
		t.Error(err)
	}
}
