package hub_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestLeaveWhileDeciding: whoever has decided before the application had the connection leave puts it into the room no more.
func TestLeaveWhileDeciding(t *testing.T) {
	for by, act := range map[string]string{
		"OnJoin":    `{"op":"join","id":1,"room":"secret"}`,
		"a handler": `{"op":"call","id":1,"method":"enter"}`,
	} {
		t.Run(by, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				s := tr.start(t)
				conns, asked, answer, joins := s.watchConns(), make(chan struct{}, 2), make(chan struct{}), make(chan error, 2)
				decide := func() {
					asked <- struct{}{}
					<-answer
				}
				s.OnJoin(func(context.Context, *hub.Conn, string) error {
					decide()
					return nil
				})
				s.Handle("enter", func(ctx context.Context, c *hub.Conn, _ []byte) (any, error) {
					decide()
					joins <- c.Join(ctx, "secret")
					return nil, nil
				})
				cl := s.dial(t)
				conn := receive(t, "OnConnect", conns)
				cl.write(act)
				receive(t, "the question", asked)
				for _, room := range []string{"elsewhere", "secret"} {
					if err := conn.Leave(t.Context(), room); err != nil {
						t.Errorf("Leave: %v", err)
					}
				}
				close(answer)
				switch r := cl.read(); by {
				case "OnJoin":
					if r.Op != "error" || r.ID != 1 || r.Code != string(protocol.CodeRemoved) || r.Message == "" {
						t.Errorf("%+v", r)
					}
				default:
					if err := receive(t, "Join", joins); !errors.Is(err, hub.ErrRemoved) || r.Op != "ok" {
						t.Errorf("Join: %v, %+v", err, r)
					}
				}
				s.publish(t, "secret", 1)
				cl.alive()
				// A new decision counts, whoever makes it.
				if r := cl.ask(`{"op":"join","id":2,"room":"secret"}`); r.Op != "ok" {
					t.Errorf("joined again: %+v", r)
				}
			})
		})
	}
}

// TestLeaveAndJoin: the last word counts, within a callback and outside of one.
func TestLeaveAndJoin(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"))
	conns, asked, answer := s.watchConns(), make(chan struct{}), make(chan struct{})
	again := func(ctx context.Context, c *hub.Conn) error {
		return errors.Join(c.Leave(ctx, "a"), c.Join(ctx, "a"), c.Leave(ctx, "a"), c.Join(ctx, "a"))
	}
	s.Handle("again", func(ctx context.Context, c *hub.Conn, _ []byte) (any, error) { return nil, again(ctx, c) })
	s.Handle("wait", func(context.Context, *hub.Conn, []byte) (any, error) {
		close(asked)
		<-answer
		return nil, nil
	})
	cl := s.dialV1(t, `{"op":"hello"}`)
	conn := receive(t, "OnConnect", conns)
	in := func() {
		t.Helper()
		if r := cl.nextAnswer(`{"op":"ping","id":9}`, 9); r.Op != "ok" || s.Room("a").Members != 1 {
			t.Errorf("%+v, %d members", r, s.Room("a").Members)
		}
	}
	if r := cl.nextAnswer(`{"op":"call","id":1,"method":"again"}`, 1); r.Op != "ok" {
		t.Errorf("within a callback: %+v", r)
	}
	in()
	if err := again(t.Context(), conn); err != nil {
		t.Errorf("outside: %v", err)
	}
	in()
	cl.write(`{"op":"call","id":2,"method":"wait"}`)
	receive(t, "the handler", asked)
	if err := again(t.Context(), conn); err != nil {
		t.Errorf("outside, while a callback runs: %v", err)
	}
	close(answer)
	in()
}
