package interop_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// epoch of a room with history.
func (l *live) epoch(t *testing.T, room string) string {
	t.Helper()
	page, err := l.History(t.Context(), room, broker.Position{}, 1)
	must(t, err)
	return page.Top.Epoch
}

// message is the frame of a message whose data is its offset.
func message(room, epoch string, offset uint64) string {
	return fmt.Sprintf(`{"op":"message","room":%q,%s,"data":%d}`, room, position(epoch, offset), offset)
}

func verifyToken(_ context.Context, token string) (hub.Identity, error) {
	if token != "secret" {
		return hub.Identity{}, hub.ErrUnauthorized
	}
	return hub.Identity{User: "ada"}, nil
}

func TestHello(t *testing.T) {
	overHub(t, func(t *testing.T, l *live, s *speaker) {
		s.hello(l, `{"op":"hello","id":1,"token":"secret"}`)
		must(t, l.SendUser(t.Context(), "ada", []byte(`"for ada"`)))
		s.hear(`{"op":"message","data":"for ada"}`)
		must(t, s.Close(1000, ""))
		s.closed(protocol.CloseNormal)
		_ = l.ended(t, s.id)

		for frame, code := range map[string]protocol.CloseCode{
			`{"op":"hello","token":"wrong"}`: protocol.CloseUnauthorized,
			`{"op":"hello"}`:                 protocol.CloseUnauthorized,
			`{"op":"ping","id":1}`:           protocol.CloseHelloExpected,
			`{"op":"hello"`:                  protocol.CloseHelloExpected,
		} {
			connect(s.ctx, t, s.Peer, l.url, v1)
			s.say(frame)
			s.closed(code)
		}
		// A plain client has no way to say who it is.
		connect(s.ctx, t, s.Peer, l.url, plain)
		s.closed(protocol.CloseHelloExpected)
	}, hub.WithTokenVerifier(verifyToken))
}

// TestResume: after a disconnect the client gets exactly what it has missed, in order, and then goes on.
func TestResume(t *testing.T) {
	const missed = 90 // less than the history has
	for _, how := range []struct {
		name  string
		sever func(t *testing.T, l *live, s *speaker, c *hub.Conn)
	}{
		{"closed by the server", func(_ *testing.T, _ *live, s *speaker, c *hub.Conn) {
			_ = c.Close(protocol.CloseReconnect, "balance")
			if reason := s.closed(protocol.CloseReconnect); reason != "balance" {
				s.t.Errorf("reason %q", reason)
			}
		}},
		{"broken", func(t *testing.T, _ *live, s *speaker, _ *hub.Conn) {
			must(t, s.Terminate())
			s.closed(protocol.CloseAbnormal)
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			overHub(t, func(t *testing.T, l *live, s *speaker) {
				conns := make(chan *hub.Conn, 10)
				l.OnConnect(func(_ context.Context, c *hub.Conn) error {
					conns <- c
					return nil
				})
				rooms := []string{"past:a", "past:b"}
				session := s.hello(l, `{"op":"hello"}`).Session
				epochs := make(map[string]string)
				for _, room := range rooms {
					epochs[room] = l.epoch(t, room)
					s.ask(`{"op":"join","id":1,"room":"`+room+`"}`, `{"op":"ok","id":1,"room":"`+room+`",`+position(epochs[room], 0)+`}`)
					for i := uint64(1); i <= 3; i++ {
						l.publish(t, room, fmt.Sprint(i))
						s.hear(message(room, epochs[room], i))
					}
				}
				how.sever(t, l, s, <-conns)
				_ = l.ended(t, s.id)
				for i := uint64(4); i <= 3+missed; i++ {
					for _, room := range rooms {
						l.publish(t, room, fmt.Sprint(i))
					}
				}
				hello := fmt.Sprintf(`{"op":"hello","session":%q,"resume":[{"room":"past:a",%s},{"room":"past:b",%s},{"room":"news"}]}`,
					session, position(epochs["past:a"], 3), position(epochs["past:b"], 2))
				if again := s.hello(l, hello); again.Session != session {
					t.Errorf("session %q, want %q", again.Session, session)
				}
				s.hearRoom("past:a", epochs["past:a"], 3, 3+missed)
				s.hearRoom("past:b", epochs["past:b"], 2, 3+missed)
				s.hear(`{"op":"ok","room":"news"}`)
				for _, room := range rooms {
					l.publish(t, room, fmt.Sprint(4+missed))
					s.hear(message(room, epochs[room], 4+missed))
				}
				s.alive()
			})
		})
	}
}

// hearRoom fails unless a room is resumed after one offset and caught up to another.
func (s *speaker) hearRoom(room, epoch string, after, to uint64) {
	s.t.Helper()
	s.hear(`{"op":"ok","room":"` + room + `",` + position(epoch, after) + `}`)
	for i := after + 1; i <= to; i++ {
		s.hear(message(room, epoch, i))
	}
}

// TestGap: what cannot be had any more is said, and the stream goes on behind it.
func TestGap(t *testing.T) {
	overHub(t, func(t *testing.T, l *live, s *speaker) {
		epoch, _ := l.publish(t, "past:a", "1")
		for i := 2; i <= 150; i++ { // the history has a hundred
			l.publish(t, "past:a", fmt.Sprint(i))
		}
		for _, from := range []string{
			position("elsewhere", 7), // another epoch
			position(epoch, 49),      // not kept any more
			position(epoch, 0),       // nor that
			position(epoch, 151),     // not there yet
		} {
			s.hello(l, `{"op":"hello","resume":[{"room":"past:a",`+from+`}]}`)
			s.hear(`{"op":"ok","room":"past:a",`+from+`}`, `{"op":"gap","room":"past:a",`+position(epoch, 150)+`}`)
			s.alive()
			must(t, s.Terminate())
			s.closed(protocol.CloseAbnormal)
			_ = l.ended(t, s.id)
		}
		// The oldest that is kept is 51, so that 50 is the last position without a loss.
		s.hello(l, `{"op":"hello","resume":[{"room":"past:a",`+position(epoch, 50)+`}]}`)
		s.hearRoom("past:a", epoch, 50, 150)
		s.alive()
	})
}
