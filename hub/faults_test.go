package hub_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

func TestErrorTexts(t *testing.T) {
	closed := &hub.CloseError{Code: protocol.CloseIdle, Reason: "asleep", Err: errSecret}
	if got, want := closed.Error(), "hub: connection closed: 4007 idle (asleep): "+errSecret.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	refused := &hub.HTTPError{Status: http.StatusTeapot, Message: "short", Err: errSecret}
	if got, want := refused.Error(), "hub: handshake refused with 418: short"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, err := range []error{closed, refused} {
		if !errors.Is(err, errSecret) {
			t.Errorf("%T hides its cause", err)
		}
	}
}

// TestLongCloseReason: what does not fit is cut, between two characters.
func TestLongCloseReason(t *testing.T) {
	s := start(t)
	conns := s.watchConns()
	for _, reason := range []string{strings.Repeat("x", 200), strings.Repeat("é", 100), "x" + strings.Repeat("é", 100), "x" + strings.Repeat("😀", 40)} {
		c := s.dial(t)
		_ = receive(t, "OnConnect", conns).Close(4321, reason)
		got := c.closed(4321)
		if !strings.HasPrefix(reason, got) || !utf8.ValidString(got) || len(got) < protocol.MaxReason-utf8.UTFMax {
			t.Errorf("%.20s… was sent as %q, %d bytes", reason, got, len(got))
		}
	}
}

// TestBrokerWithoutCapabilities: a hub works with nothing but the Broker interface.
func TestBrokerWithoutCapabilities(t *testing.T) {
	mem, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, hub.WithBroker(bare{mem}), hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser))
	c := s.dialAs(t, "ada")
	c.ask(`{"op":"join","id":1,"room":"a"}`)
	s.publish(t, "a", 1)
	c.expect(`{"op":"message","room":"a","data":1}`)
	if err := s.SendUser(t.Context(), "ada", []byte("2")); err != nil {
		t.Fatal(err)
	}
	c.expect(`{"op":"message","data":2}`)
	if _, err := s.Disconnect(t.Context(), hub.ByUser("ada"), &hub.CloseError{Reason: "bye"}); err != nil {
		t.Fatal(err)
	}
	c.closed(protocol.CloseDisconnected)
}

// TestForeignCommand: what is no command does no harm.
func TestForeignCommand(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b))
	c := s.dial(t)
	for _, payload := range []string{"", "nonsense", "{}", `{"do":"dance","user":"ada"}`, `{"do":1}`} {
		b.receiver.Command("elsewhere", []byte(payload))
	}
	c.alive()
}

// hanging is a broker that does not answer.
type hanging struct {
	*memory.Broker
	entered chan context.Context
}

func (h hanging) Subscribe(ctx context.Context, _ ...string) error {
	h.entered <- ctx
	<-ctx.Done()
	return context.Cause(ctx)
}

var _ broker.Broker = hanging{}

// TestJoinEndsWithConnection: a request that hangs in the broker has a deadline, belongs to its connection and ends with
// it.
func TestJoinEndsWithConnection(t *testing.T) {
	mem, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	b := hanging{mem, make(chan context.Context, 1)}
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithCloseTimeout(10*time.Millisecond))
	conns := s.watchConns()
	s.dial(t).write(`{"op":"join","id":1,"room":"a"}`)
	c, ctx := receive(t, "OnConnect", conns), receive(t, "Subscribe", b.entered)
	if d, ok := ctx.Deadline(); !ok || time.Until(d) > time.Minute {
		t.Errorf("deadline %v, %v", d, ok)
	}
	if got, ok := hub.ConnFromContext(ctx); !ok || got != c {
		t.Error("the context is not the connection's")
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("Err %v", err)
	}
	_ = c.Close(protocol.CloseReconnect, "")
	finished(t, "the request", ctx.Done())
	s.shutdown(t)
	if n := s.Stats().Conns; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
