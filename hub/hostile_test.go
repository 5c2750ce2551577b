package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// First bytes of a frame.
const (
	finBit      = 0x80
	rsv1, rsv2  = 0x40, 0x20
	textFrame   = 0x1
	binaryFrame = 0x2
	closeFrame  = 0x8
	pingFrame   = 0x9
	pongFrame   = 0xa
)

// masked is a frame as a client sends it, with a key that shows where it was not applied.
func masked(first byte, payload string) []byte {
	key := [4]byte{1, 2, 3, 4}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	default:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i&3])
	}
	return b
}

func unmasked(first byte, payload string) []byte {
	return append([]byte{first, byte(len(payload))}, payload...)
}

func TestBrokenFrames(t *testing.T) {
	ping := `{"op":"ping","id":1}`
	tests := []struct {
		name string
		send []byte
		code protocol.CloseCode
	}{
		{"not masked", unmasked(finBit|textFrame, ping), protocol.CloseProtocolError},
		{"ping not masked", unmasked(finBit|pingFrame, "x"), protocol.CloseProtocolError},
		{"continuation of nothing", masked(finBit, ping), protocol.CloseProtocolError},
		{"text inside a fragmented text", append(masked(textFrame, "{"), masked(finBit|textFrame, "}")...), protocol.CloseProtocolError},
		{"RSV1 without compression", masked(finBit|rsv1|textFrame, ping), protocol.CloseProtocolError},
		{"RSV2", masked(finBit|rsv2|textFrame, ping), protocol.CloseProtocolError},
		{"ping with RSV1", masked(finBit|rsv1|pingFrame, ""), protocol.CloseProtocolError},
		{"unknown opcode", masked(finBit|3, ping), protocol.CloseProtocolError},
		{"unknown control opcode", masked(finBit|0xb, ""), protocol.CloseProtocolError},
		{"fragmented ping", masked(pingFrame, ""), protocol.CloseProtocolError},
		{"long ping", masked(finBit|pingFrame, strings.Repeat("x", 126)), protocol.CloseProtocolError},
		{"close code that must not be sent", masked(finBit|closeFrame, "\x03\xed"), protocol.CloseProtocolError},
		{"close reason not UTF-8", masked(finBit|closeFrame, "\x03\xe8\xff"), protocol.CloseProtocolError},
		{"close frame of one byte", masked(finBit|closeFrame, "\x03"), protocol.CloseProtocolError},
		{"close frame of one byte within a message", append(masked(textFrame, "{"), masked(finBit|closeFrame, "\x03")...), protocol.CloseProtocolError},
		{"text not UTF-8", masked(finBit|textFrame, "{\"op\":\"\xff\"}"), protocol.CloseInvalidPayload},
		{"binary", masked(finBit|binaryFrame, ping), protocol.CloseUnsupportedData},
		{"too large", masked(finBit|textFrame, strings.Repeat(" ", 2000)), protocol.CloseTooBig},
		{"too large in two fragments", append(masked(textFrame, strings.Repeat(" ", 600)), masked(finBit, strings.Repeat(" ", 600))...), protocol.CloseTooBig},
		{"too large, as it says", append([]byte{finBit | textFrame, 0x80 | 127}, bytes.Repeat([]byte{0x7f}, 12)...), protocol.CloseTooBig},
	}
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithMaxMessage(1024))
		check := s.bystander(t, "news")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				before := s.Stats().Closed[tt.code]
				c := s.dial(t)
				c.t = t
				c.writeBytes(tt.send)
				c.closed(tt.code)
				_ = c.ws.Close()
				await(t, "it is counted", func() bool { return s.Stats().Closed[tt.code] == before+1 })
			})
		}
		check()
		await(t, "the bystander alone is left", func() bool { return s.Stats().Conns == 1 })
	})
}

// TestWronglyMasked: content masked with another key than the frame's is noise, and is judged as that.
func TestWronglyMasked(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t)
		flip := func(by byte) []byte {
			f := masked(finBit|textFrame, `{"op":"ping","id":1}`)
			for i := 2; i < 6; i++ {
				f[i] ^= by
			}
			return f
		}
		c := s.dial(t)
		c.writeBytes(flip(0x80)) // no UTF-8
		c.closed(protocol.CloseInvalidPayload)
		c = s.dial(t)
		c.writeBytes(flip(0x01)) // letters, but no JSON
		if r := c.read(); r.Op != "error" || r.Code != "bad_request" {
			t.Errorf("got %+v, want bad_request", r)
		}
		c.alive()
	})
}

// TestGoodFrames are unusual ones that are allowed.
func TestGoodFrames(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithMaxMessage(1024))
		c := s.dial(t)
		pongs := make(chan string, 1)
		c.ws.SetPongHandler(func(p string) error {
			pongs <- p
			return nil
		})
		// A ping inside a fragmented message, with an empty fragment before it.
		c.writeBytes(bytes.Join([][]byte{
			masked(textFrame, `{"op":"pi`), masked(0, ""), masked(finBit|pingFrame, "are you there?"), masked(finBit, `ng","id":1}`),
		}, nil))
		c.expect(`{"op":"ok","id":1}`)
		if p := receive(t, "pong", pongs); p != "are you there?" {
			t.Errorf("pong %q", p)
		}
		// Exactly as large as is allowed.
		msg := `{"op":"ping","id":2}`
		c.write(msg + strings.Repeat(" ", 1024-len(msg)))
		c.expect(`{"op":"ok","id":2}`)
		// Several in one packet.
		var many []byte
		for i := 3; i < 50; i++ {
			many = append(many, masked(finBit|textFrame, fmt.Sprintf(`{"op":"ping","id":%d}`, i))...)
		}
		c.writeBytes(many)
		for i := 3; i < 50; i++ {
			c.expect(fmt.Sprintf(`{"op":"ok","id":%d}`, i))
		}
		// One, a byte at a time.
		for _, b := range masked(finBit|textFrame, `{"op":"ping","id":50}`) {
			c.writeBytes([]byte{b})
		}
		c.expect(`{"op":"ok","id":50}`)
	})
}

// TestBomb: a message that is small on the wire and too large once decompressed.
func TestBomb(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1))
		check := s.bystander(t, "news")
		d := s.dialer()
		d.EnableCompression = true
		c := s.connectWith(t, d, nil)
		c.welcomed()
		c.alive()
		c.write(strings.Repeat(" ", 1<<20))
		c.closed(protocol.CloseTooBig)

		c = s.connectWith(t, d, nil)
		c.welcomed()
		c.writeBytes(masked(finBit|rsv1|textFrame, "\xff\xff\xff\xff\xff\xff")) // no deflate stream
		c.closed(protocol.CloseProtocolError)
		check()
	})
}

// TestTooFast: the rate is so low that the bucket does not fill while the test runs.
func TestTooFast(t *testing.T) {
	const burst = 5
	limit := hub.WithRateLimit(0.001, burst)
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), limit)
		check := s.bystander(t, "news")
		c := s.dial(t)
		for range burst {
			c.alive()
		}
		for range burst {
			r := c.ask(`{"op":"ping","id":1}`)
			if r.Op != "error" || r.ID != 1 || r.Code != "rate_limited" || r.RetryAfter < 900_000 {
				t.Fatalf("got %+v, want rate_limited for about 1000 s", r)
			}
		}
		c.write(`{"op":"ping","id":1}`)
		if h := c.hinted(protocol.CloseRateLimited); h.RetryAfter < 900*time.Second {
			t.Errorf("hint %+v", h)
		}
		if n := s.Stats().Limited; n != burst+1 {
			t.Errorf("%d limited, want %d", n, burst+1)
		}

		flood := s.dial(t)
		for range 2*burst + 1 {
			if err := flood.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
		}
		flood.closed(protocol.CloseRateLimited)

		pongs := s.dial(t) // which nobody asked for
		for range 2*burst + 1 {
			if err := pongs.ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
		}
		pongs.closed(protocol.CloseRateLimited)
		check()
	})
}

func TestWithoutRateLimit(t *testing.T) {
	s := start(t, hub.WithoutRateLimit())
	c := s.dial(t)
	for range 1000 {
		c.alive()
	}
}

// TestSlowFrame: a message that has begun must arrive in time, however busily its bytes drip in.
func TestSlowFrame(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithReadTimeout(200*time.Millisecond))
		check := s.bystander(t, "news")
		c := s.dial(t)
		c.alive()
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			drip := time.NewTicker(10 * time.Millisecond)
			defer drip.Stop()
			for _, b := range masked(finBit|textFrame, strings.Repeat(" ", 60_000)) {
				select {
				case <-stop:
					return
				case <-drip.C:
				}
				if _, err := c.ws.NetConn().Write([]byte{b}); err != nil {
					return
				}
			}
		}()
		c.closed(protocol.CloseReconnect)
		close(stop)
		<-done
		check()
	})
}

// TestCloseIsAnswered: whoever closes in order is answered with the same code.
func TestCloseIsAnswered(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t)
		conns, ends := s.watchConns(), make(chan error, 10)
		s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
		for _, code := range []int{1000, 1001, 1014, 3000, 4999} {
			c := s.dial(t)
			receive(t, "OnConnect", conns)
			msg := websocket.FormatCloseMessage(code, "done")
			if err := c.ws.WriteControl(websocket.CloseMessage, msg, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if code != 1014 { // gorilla refuses to read one
				c.closed(protocol.CloseCode(code))
			}
			var ce *hub.CloseError
			if err := receive(t, "OnDisconnect", ends); !errors.As(err, &ce) || int(ce.Code) != code || ce.Reason != "done" {
				t.Errorf("OnDisconnect: %v, want %d", err, code)
			}
		}
	})
}

// TestCloseIsAnsweredDespiteUnreadData: a client that sends on behind its close frame is answered all the same.
func TestCloseIsAnsweredDespiteUnreadData(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t)
		for range 20 {
			c := s.dial(t)
			c.alive()
			bye := masked(finBit|closeFrame, string(websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")))
			// The rest is more than a reader takes at once. Over TLS the hub may have closed the socket before all of it is written.
			_, _ = c.ws.NetConn().Write(append(bye, strings.Repeat("x", 32<<10)...))
			c.closed(protocol.CloseNormal)
		}
	})
}
