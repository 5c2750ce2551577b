package hub

import (
	"math"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// limit is a rate with a burst, of messages or of bytes. The zero limit is none.
type limit struct {
	each  float64       // nanoseconds that one takes
	depth time.Duration // what the burst takes
}

func newLimit(perSecond float64, burst int) limit {
	each := float64(time.Second) / perSecond
	return limit{each: each, depth: time.Duration(each * float64(burst))}
}

func (l limit) enabled() bool { return l.each > 0 }

// perSecond is the rate of a limit that is enabled.
func (l limit) perSecond() float64 { return float64(time.Second) / l.each }

// cost is the time that n take.
func (l limit) cost(n int) time.Duration { return time.Duration(l.each * float64(n)) }

// bucket is the generic cell rate algorithm (ITU-T I.371): a token bucket in one number, since a
// million connections have one each. Times are since the hub's start, and monotonic. It is the reader's alone.
type bucket struct {
	// full is when the bucket will be full again.
	full time.Duration
	// refused is what was beyond the limit since the bucket was last full, as the time it would have taken.
	refused time.Duration
}

// take takes n at the time now. Otherwise it says how long to wait.
func (b *bucket) take(now time.Duration, n int, l limit) (wait time.Duration, ok bool) {
	if b.full <= now {
		b.full, b.refused = now, 0
	}
	cost := l.cost(n)
	if wait := b.full + cost - now - l.depth; wait > 0 {
		b.refused += cost
		return wait, false
	}
	b.full += cost
	return 0, true
}

// refusing reports whether something was refused since the bucket was last full.
func (b *bucket) refusing(now time.Duration) bool { return b.refused > 0 && b.full > now }

// stubborn reports whether as much again as a burst was sent beyond the limit.
func (b *bucket) stubborn(l limit) bool { return b.refused > l.depth }

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
	if l := conf.messages; messages > 0 && l.enabled() {
		if wait, ok := c.messages.take(now, messages, l); !ok {
			c.tooFast(wait, "too many messages", c.messages.stubborn(l), frame, answer)
			return false
		}
	}
	if l := conf.bytes; bytes > 0 && l.enabled() {
		if wait, ok := c.bytes.take(now, bytes, l); !ok {
			c.tooFast(wait, "too many bytes", c.bytes.stubborn(l), frame, answer)
			return false
		}
	}
	return true
}

// controlWithin counts a ping or a pong as a message. Such a frame has no ID that a refusal could name, so the first
// refusal alone is answered.
func (c *Conn) controlWithin() bool {
	now := c.hub.now()
	return c.within(now, 1, 0, !c.messages.refusing(now))
}

func (c *Conn) tooFast(wait time.Duration, message string, stubborn bool, frame []byte, answer bool) {
	c.hub.stats.limited.Add(1)
	switch {
	case c.kind == raw || stubborn:
		c.shut(&CloseError{Code: protocol.CloseRateLimited, Reason: "too fast", RetryAfter: max(wait, time.Second)})
	case answer:
		id := protocol.RequestID(frame)
		c.replyError(id, "", &Error{Code: protocol.CodeRateLimited, Message: message, RetryAfter: wait})
	}
}

// announced are the limits that a welcome tells the client.
func (c *config) announced() protocol.Limits {
	l := protocol.Limits{Message: c.maxMessage, Rooms: c.maxRooms}
	l.Rate, l.Burst = c.messages.announced()
	rate, burst := c.bytes.announced()
	l.ByteRate, l.ByteBurst = int(rate), burst
	return l
}

// announced is how many a second, to a thousandth, and how many at once.
func (l limit) announced() (rate float64, burst int) {
	if !l.enabled() {
		return 0, 0
	}
	rate = float64(time.Second) / l.each
	if rounded := math.Round(rate*1000) / 1000; rounded > 0 {
		rate = rounded
	}
	return rate, int(math.Round(float64(l.depth) / l.each))
}
