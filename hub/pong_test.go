package hub_test

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gorilla/websocket"
)

// TestAnswers: whatever a ping is answered with, in whatever pieces, is read as it is, and the pings go on.
func TestAnswers(t *testing.T) {
	pong := masked(finBit|pongFrame, "")
	ask, answer := masked(finBit|textFrame, `{"op":"ping","id":7}`), `{"op":"ok","id":7}`
	tests := []struct {
		name   string
		pieces [][]byte
		want   []string
	}{
		{"a pong", [][]byte{pong}, nil},
		{"a pong with a payload", [][]byte{masked(finBit|pongFrame, "I am")}, nil},
		{"two pongs at once", [][]byte{append(pong[:6:6], pong...)}, nil},
		{"a pong with a message behind it", [][]byte{append(pong[:6:6], ask...)}, []string{answer}},
		{"a pong with half a message behind it", [][]byte{append(pong[:6:6], ask[:9]...), ask[9:]}, []string{answer}},
		{"a pong in pieces", [][]byte{pong[:1], pong[1:5], pong[5:]}, nil},
		{"a message", [][]byte{ask}, []string{answer}},
		{"a message in pieces", [][]byte{ask[:1], ask[1:6], ask[6:8], ask[8:]}, []string{answer}},
		{"a message, and no pong", [][]byte{ask, ask}, []string{answer, answer}},
		{"a ping", [][]byte{masked(finBit|pingFrame, "")}, nil},
	}
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		policy := heartbeat.Policy{Interval: 3 * time.Second, Timeout: 3 * time.Second, Tick: 100 * time.Millisecond}
		s := tr.start(t, hub.WithHeartbeat(policy))
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				c := s.dial(t)
				c.t = t
				pings, got := make(chan struct{}, 100), make(chan string, 100)
				c.ws.SetPingHandler(func(string) error {
					pings <- struct{}{}
					return nil
				})
				ended := make(chan error, 1)
				go func() {
					for {
						_, p, err := c.ws.ReadMessage()
						if err != nil {
							ended <- err
							return
						}
						got <- string(p)
					}
				}()
				for range 2 {
					receive(t, "a ping", pings)
					for _, p := range tt.pieces {
						c.writeBytes(p)
						time.Sleep(5 * time.Millisecond) // so that they come apart, as a rule; nothing depends on it
					}
					for _, want := range tt.want {
						if m := receive(t, "an answer", got); m != want {
							t.Errorf("got %s, want %s", m, want)
						}
					}
				}
				c.write(`{"op":"ping","id":8}`)
				if m := receive(t, "an answer", got); m != `{"op":"ok","id":8}` {
					t.Errorf("got %s", m)
				}
				_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
				if err := receive(t, "the end", ended); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
					t.Errorf("ended with %v", err)
				}
			})
		}
	})
}
