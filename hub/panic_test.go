package hub_test

import (
	"context"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestPanics: a handler that panics costs its call, or its connection, and nothing else.
func TestPanics(t *testing.T) {
	boom := func(context.Context, *hub.Conn, []byte) (any, error) { panic("handler") }
	tests := []struct {
		name, send string
		answer     string             // the connection goes on
		code       protocol.CloseCode // or not
	}{
		{"call", `{"op":"call","id":1,"method":"boom"}`, `{"op":"error","id":1,"code":"internal","message":"the handler failed"}`, 0},
		{"heavy call", `{"op":"call","id":1,"method":"heavy"}`, `{"op":"error","id":1,"code":"internal","message":"the handler failed"}`, 0},
		{"OnMessage", `{"op":"send","id":1,"data":1}`, "", protocol.CloseHandlerPanic},
		{"OnJoin", `{"op":"join","id":1,"room":"a"}`, `{"op":"error","id":1,"room":"a","code":"internal","message":"the authorizer failed"}`, 0},
		{"OnPublish", `{"op":"publish","id":1,"room":"a","data":1}`, `{"op":"error","id":1,"room":"a","code":"internal","message":"the authorizer failed"}`, 0},
	}
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("news"))
		s.Handle("boom", boom)
		s.Handle("heavy", boom, hub.Heavy())
		s.OnMessage(func(context.Context, *hub.Conn, hub.Message) { panic("OnMessage") })
		s.OnJoin(func(context.Context, *hub.Conn, string) error { panic("OnJoin") })
		s.OnPublish(func(context.Context, *hub.Conn, *hub.Publication) error { panic("OnPublish") })
		check := s.bystander(t, "news")
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				c := s.dial(t)
				c.t = t
				c.write(tt.send)
				if tt.code != 0 {
					c.closed(tt.code)
				} else {
					c.expect(tt.answer)
					c.alive()
				}
				if n := s.Stats().Panics; n != int64(i+1) {
					t.Errorf("%d panics counted, want %d", n, i+1)
				}
			})
		}
		check()
	})
}

func TestOnDisconnectPanics(t *testing.T) {
	s := start(t)
	s.OnDisconnect(func(context.Context, *hub.Conn, error) { panic("OnDisconnect") })
	for range 3 {
		_ = s.dial(t).ws.Close()
	}
	await(t, "all are gone", func() bool { return s.Stats().Conns == 0 && s.Stats().Panics == 3 })
	s.dial(t).alive()
}

// TestRawPanics: the same on a raw hub.
func TestRawPanics(t *testing.T) {
	s := start(t, hub.WithRaw())
	s.OnMessage(func(context.Context, *hub.Conn, hub.Message) { panic("OnMessage") })
	c := s.connect(t, nil)
	c.write("x")
	c.closed(protocol.CloseHandlerPanic)
}
