package hub_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// padded is a ping of protocol v1 of n bytes.
func padded(n int) string {
	const ping = `{"op":"ping","id":1}`
	return ping + strings.Repeat(" ", n-len(ping))
}

// TestTooManyBytes: the rate is so low that the bucket does not fill while the test runs.
func TestTooManyBytes(t *testing.T) {
	const burst = 64 << 10
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithByteRateLimit(1, burst), hub.WithCloseTimeout(patience))
		check := s.bystander(t, "news")
		c := s.dial(t)
		quarter := masked(finBit|textFrame, padded(burst/4-8)) // and the header
		for range 4 {
			c.writeBytes(quarter)
			c.expect(`{"op":"ok","id":1}`)
		}
		for range 4 {
			c.writeBytes(quarter)
			r := c.read()
			if r.Op != "error" || r.ID != 1 || r.Code != "rate_limited" || r.RetryAfter < 16_000_000 {
				t.Fatalf("got %+v, want rate_limited for about four and a half hours", r)
			}
		}
		c.write(`{}`)
		if h := c.hinted(protocol.CloseRateLimited); h.RetryAfter <= 0 {
			t.Errorf("hint %+v", h)
		}
		if n := s.Stats().Limited; n != 5 {
			t.Errorf("%d limited, want 5", n)
		}

		for name, flood := range map[string][]byte{
			"pongs that nobody asked for":    masked(finBit|pongFrame, strings.Repeat("x", 120)),
			"pings":                          masked(finBit|pingFrame, strings.Repeat("x", 120)),
			"messages of nothing but pieces": append(masked(textFrame, ""), append(bytes.Repeat(masked(0, ""), 1000), masked(finBit, "1")...)...),
		} {
			t.Run(name, func(t *testing.T) {
				c := s.dial(t)
				c.t = t
				c.writeBytes(bytes.Repeat(flood, 2*burst/len(flood)+2))
				c.closed(protocol.CloseRateLimited)
			})
		}
		check()
	})
}

// TestBytesAreCountedDecompressed: what is small on the wire counts as what it becomes.
func TestBytesAreCountedDecompressed(t *testing.T) {
	s := start(t, hub.WithCompression(1, 1), hub.WithByteRateLimit(1, 64<<10))
	d := s.dialer()
	d.EnableCompression = true
	c := s.connectWith(t, d, nil)
	c.welcomed()
	c.write(padded(60_000))
	c.expect(`{"op":"ok","id":1}`)
	if r := c.ask(padded(60_000)); r.Code != "rate_limited" {
		t.Errorf("got %+v, want rate_limited", r)
	}
	c.alive()
}

// TestPingsWithinMessage: pings between the fragments of a message count as those between messages.
func TestPingsWithinMessage(t *testing.T) {
	const burst = 5
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithRateLimit(0.001, burst))
		c := s.dial(t)
		pongs := 0
		c.ws.SetPongHandler(func(string) error {
			pongs++
			return nil
		})
		c.writeBytes(append(masked(textFrame, "{"), bytes.Repeat(masked(finBit|pingFrame, "x"), 2*burst+1)...))
		c.closed(protocol.CloseRateLimited)
		if pongs != burst {
			t.Errorf("%d pings were answered, want %d", pongs, burst)
		}
	})
}

// TestUnaskedPongs: pongs that nobody asked for count as messages, wherever they come and however long they are.
func TestUnaskedPongs(t *testing.T) {
	const burst = 5
	pong := masked(finBit|pongFrame, "")
	alone := func(c *client, n int) {
		for range n {
			_, _ = c.ws.NetConn().Write(pong) // it may be closed by now
			time.Sleep(time.Millisecond)      // so that they come apart, as a rule; nothing depends on it
		}
	}
	tests := []struct {
		name string
		send func(c *client)
	}{
		{"alone", func(c *client) { alone(c, 2*burst+1) }},
		{"at once", func(c *client) { c.writeBytes(bytes.Repeat(pong, 2*burst+1)) }},
		{"with a payload", func(c *client) {
			c.writeBytes(bytes.Repeat(masked(finBit|pongFrame, strings.Repeat("x", 125)), 2*burst+1))
		}},
		{"within a message", func(c *client) { c.writeBytes(append(masked(textFrame, "{"), bytes.Repeat(pong, 2*burst+1)...)) }},
	}
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithRateLimit(0.001, burst))
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				before := s.Stats().Limited
				c := s.dial(t)
				c.t = t
				tt.send(c)
				if r := c.read(); r.Op != "error" || r.ID != 0 || r.Code != "rate_limited" {
					t.Fatalf("got %+v, want a warning", r)
				}
				c.hinted(protocol.CloseRateLimited)
				if n := s.Stats().Limited - before; n < burst+1 {
					t.Errorf("%d counted as limited, want %d at least", n, burst+1)
				}
			})
		}
	})
}

// TestUnaskedPongsRaw: a raw hub has nothing to warn with.
func TestUnaskedPongsRaw(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithRateLimit(0.001, 5), hub.WithRaw())
		c := s.connect(t, nil)
		c.writeBytes(bytes.Repeat(masked(finBit|pongFrame, ""), 6))
		c.closed(protocol.CloseRateLimited)
	})
}

// TestAskedPongsAreFree: the rate allows a single message, and every ping of the hub is answered.
func TestAskedPongsAreFree(t *testing.T) {
	const pings = 3
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		policy := heartbeat.Policy{Interval: 3 * time.Second, Timeout: 3 * time.Second, Tick: 50 * time.Millisecond}
		s := tr.start(t, hub.WithHeartbeat(policy), hub.WithRateLimit(0.001, 1))
		c := s.dial(t)
		asked := make(chan struct{}, 100)
		answer := c.ws.PingHandler()
		c.ws.SetPingHandler(func(p string) error {
			err := answer(p)
			asked <- struct{}{}
			return err
		})
		ended := make(chan error, 1)
		go func() { ended <- c.end() }()
		for range pings {
			receive(t, "a ping", asked)
		}
		if n := s.Stats().Limited; n != 0 {
			t.Errorf("%d pongs that were asked for count as limited", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = receive(t, "the end", ended)
	})
}

// TestEndlessMessage: a message without content is bounded by what it takes on the wire.
func TestEndlessMessage(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithMaxMessage(1024), hub.WithCloseTimeout(patience))
		c := s.dial(t)
		c.writeBytes(append(masked(textFrame, "{"), bytes.Repeat(masked(0, ""), 20_000)...))
		c.closed(protocol.CloseTooBig)
	})
}
