package hub_test

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestBeats: who lets itself be heard unasked, with pongs or with pings, is not pinged.
func TestBeats(t *testing.T) {
	const interval, lasts, pause = 4 * time.Second, 9 * time.Second, 200 * time.Millisecond
	for name, frame := range map[string]byte{"pongs": pongFrame, "pings": pingFrame} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				t.Parallel()
				s := tr.start(t, hub.WithHeartbeat(heartbeat.Policy{Interval: interval, Timeout: interval}))
				c := s.dial(t)
				c.t = t
				received := s.Stats().Received
				allowed := int64(1) // the first comes at any time within the interval
				begun := time.Now()
				for last := begun; time.Since(begun) < lasts; time.Sleep(pause) {
					c.writeBytes(masked(finBit|frame, ""))
					if time.Since(last) > interval/2 { // the machine was busy elsewhere
						allowed++
					}
					last = time.Now()
				}
				if n := s.Stats().Heartbeat.Pings; n > allowed {
					t.Errorf("%d pings, want %d at the most", n, allowed)
				}
				if n := s.Stats().Received - received; n > 0 {
					t.Errorf("control frames counted as %d messages", n)
				}
				c.alive()
			})
		})
	}
}

// TestPingsAreAnswered: each, in order, whatever came before it and comes with it.
func TestPingsAreAnswered(t *testing.T) {
	ping := masked(finBit|pingFrame, "")
	tests := []struct {
		name   string
		pieces [][]byte
		pongs  []string
		answer bool
	}{
		{"alone", [][]byte{ping}, []string{""}, false},
		{"two at once", [][]byte{append(ping[:6:6], ping...)}, []string{"", ""}, false},
		{"with a payload", [][]byte{masked(finBit|pingFrame, "here")}, []string{"here"}, false},
		{"in pieces", [][]byte{ping[:1], ping[1:4], ping[4:]}, []string{""}, false},
		{"behind a pong", [][]byte{append(masked(finBit|pongFrame, ""), ping...)}, []string{""}, false},
		{"before a message", [][]byte{append(ping[:6:6], masked(finBit|textFrame, padded(40))...)}, []string{""}, true},
		{"behind a message", [][]byte{append(masked(finBit|textFrame, padded(40)), ping...)}, []string{""}, true},
	}
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t)
		c := s.dial(t)
		pongs := make(chan string, 100)
		c.ws.SetPongHandler(func(payload string) error {
			pongs <- payload
			return nil
		})
		got := make(chan string, 100)
		go func() {
			defer close(got)
			for {
				_, p, err := c.ws.ReadMessage()
				if err != nil {
					return
				}
				got <- string(p)
			}
		}()
		for range 3 { // what comes alone, again and again, has a way of its own
			for _, tt := range tests {
				for _, p := range tt.pieces {
					c.writeBytes(p)
					time.Sleep(2 * time.Millisecond) // so that they come apart, as a rule; nothing depends on it
				}
				for _, want := range tt.pongs {
					if p := receive(t, "a pong to one "+tt.name, pongs); p != want {
						t.Errorf("%s: pong %q, want %q", tt.name, p, want)
					}
				}
				if tt.answer {
					if m := receive(t, "an answer to one "+tt.name, got); m != `{"op":"ok","id":1}` {
						t.Errorf("%s: got %s", tt.name, m)
					}
				}
			}
		}
	})
}

// TestPingsOneByOneAreLimited: those that come alone count as those that come in a flood.
func TestPingsOneByOneAreLimited(t *testing.T) {
	const burst = 5
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithRateLimit(0.001, burst))
		c := s.dial(t)
		pongs := make(chan struct{}, 2*burst+1)
		c.ws.SetPongHandler(func(string) error {
			pongs <- struct{}{}
			return nil
		})
		ended := make(chan error, 1)
		go func() { ended <- c.end() }() // past the errors that say so first
		for range burst {
			c.writeBytes(masked(finBit|pingFrame, ""))
			receive(t, "a pong", pongs)
		}
		var err error
		for err == nil {
			select {
			case err = <-ended:
			case <-time.After(time.Millisecond):
				_, _ = c.ws.NetConn().Write(masked(finBit|pingFrame, "")) // it may be closed by now
			}
		}
		if !websocket.IsCloseError(err, int(protocol.CloseRateLimited)) {
			t.Errorf("ended with %v", err)
		}
		if n := len(pongs); n > 0 {
			t.Errorf("%d pings beyond the limit were answered", n)
		}
	})
}
