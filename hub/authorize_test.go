package hub_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

func TestForbiddenWithoutAuthorizer(t *testing.T) {
	s := start(t, hub.WithOpenRooms("open", "public:*"))
	c := s.dial(t)
	for room, allowed := range map[string]bool{"open": true, "public:": true, "public:x": true, "opens": false, "public": false, "xpublic:": false} {
		for _, op := range []string{`"op":"publish","data":1`, `"op":"join"`} {
			r := c.ask(fmt.Sprintf(`{"id":1,"room":%q,%s}`, room, op))
			if allowed && r.Op != "ok" || !allowed && r.Code != "forbidden" {
				t.Errorf("%s in %q: %+v", op, room, r)
			}
		}
		if allowed {
			c.ask(fmt.Sprintf(`{"op":"leave","id":1,"room":%q}`, room))
		}
	}
}

// TestAuthorizers: what OnJoin and OnPublish say, the client hears.
func TestAuthorizers(t *testing.T) {
	type answer struct {
		err  error
		want string
	}
	answers := map[string]answer{
		"allowed": {nil, `{"op":"ok","id":1,"room":"allowed"}`},
		"told":    {&hub.Error{Code: "paywall", Message: "buy it"}, `{"op":"error","id":1,"room":"told","code":"paywall","message":"buy it"}`},
		"wrapped": {fmt.Errorf("x: %w", &hub.Error{Code: "paywall"}), `{"op":"error","id":1,"room":"wrapped","code":"paywall","message":""}`},
		"refused": {errors.Join(errSecret, hub.ErrForbidden), `{"op":"error","id":1,"room":"refused","code":"forbidden","message":"not allowed"}`},
		"panic":   {nil, `{"op":"error","id":1,"room":"panic","code":"internal","message":"the authorizer failed"}`},
	}
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("open"), hub.WithAuthenticator(asUser))
		ask := func(ctx context.Context, c *hub.Conn, room string) error {
			if from, ok := hub.ConnFromContext(ctx); !ok || from != c || c.Identity().User != "ada" {
				t.Errorf("asked about %q for %+v", room, c.Identity())
			}
			if room == "open" {
				t.Error("asked about an open room")
			}
			if room == "panic" {
				panic("authorizer")
			}
			if room == "failed" {
				return errSecret
			}
			return answers[room].err
		}
		s.OnJoin(ask)
		s.OnPublish(func(ctx context.Context, c *hub.Conn, p *hub.Publication) error { return ask(ctx, c, p.Room) })
		c := s.dialAs(t, "ada")
		for room, a := range answers {
			c.write(`{"op":"publish","id":1,"room":"` + room + `","data":1}`)
			c.expect(a.want)
			c.write(`{"op":"join","id":1,"room":"` + room + `"}`)
			c.expect(a.want)
		}
		for _, op := range []string{`"op":"publish","data":1`, `"op":"join"`} {
			r := c.ask(`{"id":1,"room":"failed",` + op + `}`)
			if r.Code != "unavailable" || r.RetryAfter < 1000 || r.RetryAfter > 5000 || r.Message != "try again" {
				t.Errorf("an error that is no verdict: %+v", r)
			}
		}
		c.write(`{"op":"join","id":1,"room":"open"}`)
		c.expect(`{"op":"ok","id":1,"room":"open"}`)
		if n := s.Stats().Panics; n != 2 {
			t.Errorf("%d panics counted, want 2", n)
		}
	})
}

// TestOnPublishRewrites: an authorizer may change what is published.
func TestOnPublishRewrites(t *testing.T) {
	s := start(t, hub.WithRooms("past:*", hub.DefaultHistory()))
	s.OnJoin(func(context.Context, *hub.Conn, string) error { return nil })
	s.OnPublish(func(_ context.Context, c *hub.Conn, p *hub.Publication) error {
		switch string(p.Data) {
		case `"room"`:
			p.Room = "past:b"
		case `"key"`:
			if p.IdempotencyKey != "mine" {
				return errors.New("no key")
			}
			p.IdempotencyKey = c.ID() + p.IdempotencyKey
		case `"broken"`:
			p.Data = []byte("{")
			return nil
		}
		p.Data = fmt.Appendf(nil, `{"from":%q,"data":%s}`, c.ID(), p.Data)
		return nil
	})
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"past:a"}`)
	if r := c.ask(`{"op":"publish","id":1,"room":"past:a","data":"broken"}`); r.Code != "internal" {
		t.Errorf("broken by the authorizer: %+v", r)
	}
	if r := c.ask(`{"op":"publish","id":1,"room":"past:a","data":"room"}`); r.Op != "ok" {
		t.Errorf("to another room: %+v", r)
	}
	for _, data := range []string{`"x"`, `"key"`} {
		c.write(`{"op":"publish","room":"past:a","data":` + data + `,"key":"mine"}`)
		if r := c.read(); string(r.Data) != fmt.Sprintf(`{"from":%q,"data":%s}`, c.id, data) {
			t.Errorf("%s was delivered as %+v", data, r)
		}
	}
}
