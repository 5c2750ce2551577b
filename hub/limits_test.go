package hub_test

import (
	"bytes"
	"strings"
	"testing"

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
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithByteRateLimit(1, burst))
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
			if r.Op != "error" || r.ID != 0 || r.Code != "rate_limited" || r.RetryAfter < 16_000_000 {
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

// TestEndlessMessage: a message without content is bounded by what it takes on the wire.
func TestEndlessMessage(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithMaxMessage(1024))
		c := s.dial(t)
		c.writeBytes(append(masked(textFrame, "{"), bytes.Repeat(masked(0, ""), 20_000)...))
		c.closed(protocol.CloseTooBig)
	})
}
