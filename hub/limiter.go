package hub

import (
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// within counts what was read against the connection's limits. Beyond them it refuses it, says so where
// there is somebody to answer, ends the connection of a client that goes on all the same, and returns false.
func (c *Conn) within(now time.Duration, messages, bytes int, answer bool) bool {
	return c.charge(now, messages, bytes, nil, answer)
}

// frameWithin is within for a message. The refusal carries its ID, so that the client knows which of its requests it was.
func (c *Conn) frameWithin(now time.Duration, bytes int, frame []byte) bool {
	return c.charge(now, 1, bytes, frame, true)
}

func (c *Conn) charge(now time.Duration, messages, bytes int, frame []byte, answer bool) bool {
	conf := &c.hub.conf
	if l := conf.messages; messages > 0 && l.Enabled() {
		if wait, ok := c.messages.Take(now, messages, l); !ok {
			c.tooFast(wait, "too many messages", c.messages.Stubborn(l), frame, answer)
			return false
		}
	}
	if l := conf.bytes; bytes > 0 && l.Enabled() {
		if wait, ok := c.bytes.Take(now, bytes, l); !ok {
			c.tooFast(wait, "too many bytes", c.bytes.Stubborn(l), frame, answer)
			return false
		}
	}
	return true
}

// controlWithin counts a ping or a pong as a message. Such a frame has no ID that a refusal could name, so the first
// refusal alone is answered.
func (c *Conn) controlWithin() bool {
	now := c.hub.now()
	return c.within(now, 1, 0, !c.messages.Refusing(now))
}

func (c *Conn) tooFast(wait time.Duration, message string, stubborn bool, frame []byte, answer bool) {
	c.hub.stats.limited.Add(1)
	switch {
	case c.kind == raw || stubborn:
		c.closeWith(&CloseError{Code: protocol.CloseRateLimited, Reason: "too fast", RetryAfter: max(wait, time.Second)})
	case answer:
		id := protocol.RequestID(frame)
		c.replyError(id, "", &Error{Code: protocol.CodeRateLimited, Message: message, RetryAfter: wait})
	}
}

// announced are the limits that a welcome tells the client.
func (c *config) announced() protocol.Limits {
	l := protocol.Limits{Message: c.maxMessage, Rooms: c.maxRooms}
	l.Rate, l.Burst = c.messages.Announced()
	rate, burst := c.bytes.Announced()
	l.ByteRate, l.ByteBurst = int(rate), burst
	return l
}
