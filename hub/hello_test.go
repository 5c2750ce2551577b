package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

func TestWelcome(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithHeartbeat(heartbeat.Default()))
		plain := s.connect(t, nil)
		plain.expect(`{"op":"welcome","conn":"` + s.ConnID(1) + `","node":"n1","session":"` + s.SessionOf(s.ConnID(1)) + `","ping_ms":25000,"limits":{"message":65536,"rate":100,"burst":200,"rooms":128}}`)
		plain.alive()

		v1 := s.connect(t, nil, protocol.Subprotocol)
		v1.write(`{"op":"hello","id":7}`)
		v1.expect(`{"op":"welcome","id":7,"conn":"` + s.ConnID(2) + `","node":"n1","session":"` + s.SessionOf(s.ConnID(2)) + `","ping_ms":25000,"limits":{"message":65536,"rate":100,"burst":200,"rooms":128}}`)
		v1.alive()

		again := s.connect(t, nil, protocol.Subprotocol)
		again.write(`{"op":"hello","session":"n9-5"}`)
		again.expect(`{"op":"welcome","conn":"` + s.ConnID(3) + `","node":"n1","session":"n9-5","ping_ms":25000,"limits":{"message":65536,"rate":100,"burst":200,"rooms":128}}`)
		again.alive()
	})
}

func TestWelcomeWithoutHeartbeat(t *testing.T) {
	s := start(t, hub.WithHeartbeat(heartbeat.Disabled()))
	s.connect(t, nil).expect(`{"op":"welcome","conn":"` + s.ConnID(1) + `","node":"n1","session":"` + s.SessionOf(s.ConnID(1)) + `","limits":{"message":65536,"rate":100,"burst":200,"rooms":128}}`)
}

func TestHelloExpected(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t)
		for _, first := range []string{
			`{"op":"ping","id":1}`,
			`{"op":"join","id":1,"room":"a"}`,
			`{"op":"hello","resume":1}`,
			`{"op":"hello","token":1}`,
			`not JSON`,
		} {
			c := s.connect(t, nil, protocol.Subprotocol)
			c.write(first)
			c.closed(protocol.CloseHelloExpected)
		}
	})
}

func TestHelloTimeout(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		s := tr.start(t, hub.WithHandshakeTimeout(3*time.Second))
		// Clients that said hello, or need not, stay. The silent one shows that the time is up.
		v1, plain := s.dialV1(t, `{"op":"hello"}`), s.dial(t)
		s.connect(t, nil, protocol.Subprotocol).closed(protocol.CloseHelloTimeout)
		v1.alive()
		plain.alive()
	})
}

func TestTokenVerifier(t *testing.T) {
	verify := func(_ context.Context, token string) (hub.Identity, error) {
		switch token {
		case "":
			return hub.Identity{}, nil
		case "panic":
			panic("verifier")
		case "expired":
			return hub.Identity{}, fmt.Errorf("verify: %w", &hub.CloseError{Code: protocol.CloseTokenExpired, Reason: "expired"})
		case "bad info":
			return hub.Identity{Info: []byte("}")}, nil
		case "wrong":
			return hub.Identity{}, fmt.Errorf("%w: %w", hub.ErrUnauthorized, errSecret)
		case "unknown":
			return hub.Identity{}, errSecret
		}
		return hub.Identity{User: token}, nil
	}
	s := start(t, hub.WithTokenVerifier(verify), hub.WithAuthenticator(asUser))
	connected := make(chan hub.Identity, 1)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error {
		connected <- c.Identity()
		return nil
	})
	hello := func(token string) *client {
		c := s.connect(t, http.Header{"X-User": {"cookie"}}, protocol.Subprotocol)
		c.write(`{"op":"hello","token":"` + token + `"}`)
		return c
	}
	hello("ada").welcomed()
	if id := receive(t, "OnConnect", connected); id.User != "ada" {
		t.Errorf("Identity %+v, want the token's", id)
	}
	hello("").welcomed()
	if id := receive(t, "OnConnect", connected); id.User != "" {
		t.Errorf("Identity %+v, want the anonymous one that the verifier returned", id)
	}
	if reason := hello("wrong").closed(protocol.CloseUnauthorized); reason != "" {
		t.Errorf("the client was told %q", reason)
	}
	for _, token := range []string{"bad info", "unknown"} {
		if h := hello(token).hinted(protocol.CloseTryAgainLater); h.Spread <= 0 || h.Reason != "unavailable" {
			t.Errorf("the client was told %+v", h)
		}
	}
	if reason := hello("expired").closed(protocol.CloseTokenExpired); reason != "expired" {
		t.Errorf("the client was told %q", reason)
	}
	hello("panic").closed(protocol.CloseHandlerPanic)
	s.connect(t, nil).closed(protocol.CloseHelloExpected)
	if len(connected) > 0 {
		t.Error("OnConnect was called for a connection that was refused")
	}
}

func TestOnConnectRefuses(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser))
		busy := &hub.CloseError{Code: protocol.CloseTryAgainLater, Reason: "full", RetryAfter: time.Second, Spread: 3 * time.Second}
		s.OnConnect(func(_ context.Context, c *hub.Conn) error {
			switch c.Identity().User {
			case "error":
				return errors.Join(errSecret, hub.ErrForbidden)
			case "failure":
				return errSecret
			case "busy":
				return errors.Join(errSecret, busy)
			case "panic":
				panic("OnConnect")
			}
			return nil
		})
		disconnected := make(chan string, 10)
		s.OnDisconnect(func(_ context.Context, c *hub.Conn, _ error) { disconnected <- c.Identity().User })
		if reason := s.dialAs(t, "error").closed(protocol.CloseForbidden); reason != "" {
			t.Errorf("the client was told %q", reason)
		}
		if h := s.dialAs(t, "failure").hinted(protocol.CloseTryAgainLater); h.Spread <= 0 || h.Reason != "unavailable" {
			t.Errorf("the client was told %+v", h)
		}
		want := protocol.Hint{RetryAfter: time.Second, Spread: 3 * time.Second, Reason: "full"}
		if got := s.dialAs(t, "busy").hinted(protocol.CloseTryAgainLater); got != want {
			t.Errorf("hint %+v, want %+v", got, want)
		}
		s.dialAs(t, "panic").closed(protocol.CloseHandlerPanic)
		c := s.dialAs(t, "welcome")
		c.alive()
		_ = c.ws.Close()
		if user := receive(t, "OnDisconnect", disconnected); user != "welcome" {
			t.Errorf("OnDisconnect was called for %q, which OnConnect refused", user)
		}
	})
}
