package hub

import (
	"time"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/sock"
	"github.com/gohubkit/hubkit/protocol"
)

// intake is a Conn as the one sees it that takes what the client has sent: its reader, or the poller if that is a ping or a
// pong alone.
type intake Conn

// allow counts what was read against the connection's limits. Beyond them it refuses it, says so where
// there is somebody to answer, ends the connection of a client that goes on all the same, and returns false.
func (i *intake) allow(now time.Duration, messages, bytes int, answer bool) bool {
	return i.charge(now, messages, bytes, nil, answer)
}

// allowFrame is allow for a message. The refusal carries its ID, so that the client knows which of its requests it was.
func (i *intake) allowFrame(now time.Duration, bytes int, frame []byte) bool {
	return i.charge(now, 1, bytes, frame, true)
}

func (i *intake) charge(now time.Duration, messages, bytes int, frame []byte, answer bool) bool {
	conf := &i.hub.conf
	if l := conf.messages; messages > 0 && l.Enabled() {
		i.pay(l)
		if wait, ok := i.messages.Take(now, messages, l); !ok {
			i.tooFast(wait, "too many messages", i.messages.Stubborn(l), frame, answer)
			return false
		}
	}
	if l := conf.bytes; bytes > 0 && l.Enabled() {
		if wait, ok := i.bytes.Take(now, bytes, l); !ok {
			i.tooFast(wait, "too many bytes", i.bytes.Stubborn(l), frame, answer)
			return false
		}
	}
	return true
}

// allowControl counts a ping or a pong as a message. Such a frame has no ID that a refusal could name, so the first
// refusal alone is answered.
func (i *intake) allowControl() bool {
	now := i.hub.now()
	return i.allow(now, 1, 0, !i.messages.Refusing(now))
}

func (i *intake) tooFast(wait time.Duration, message string, stubborn bool, frame []byte, answer bool) {
	c := (*Conn)(i)
	c.hub.stats.limited.Add(1)
	switch {
	case c.kind == raw || stubborn:
		c.closeWith(&CloseError{Code: protocol.CloseRateLimited, Reason: "too fast", RetryAfter: max(wait, time.Second)})
	case answer:
		id := protocol.RequestID(frame)
		c.replyError(id, "", &Error{Code: protocol.CodeRateLimited, Message: message, RetryAfter: wait})
	}
}

// beatLen is the length of a ping or pong without payload: a header with its mask.
const beatLen = 6

// takeBeat takes a ping or a pong off the socket of a connection from which the last to come was one too, and arms the
// poller again: with a million connections 40,000 come a second, and neither a goroutine nor a decoder is needed for them.
// Anything else that the socket had is returned, as far as it was read. It is called by the poller, which starts no
// reader meanwhile.
func (i *intake) takeBeat() (early []byte, done bool) {
	c := (*Conn)(i)
	var buf [beatLen + 1]byte // one more, to see that this is all
	n, opcode := 0, 0
	c.writer.TryUse(func(fd int) { // for the reason that readers.wake has, too
		if !c.beats {
			return
		}
		n, _ = sock.Recv(fd, buf[:]) // who reads next finds out what is wrong
		opcode = int(buf[0] ^ 0x80)
		done = n == beatLen && (opcode == decoder.Pong || opcode == decoder.Ping) && buf[1] == 0x80 &&
			c.hub.poller.Arm(fd, c.entry.Token()) == nil
	})
	switch {
	case done:
		c.hub.beats.Heard(&c.beat)
		if opcode == decoder.Ping {
			_ = (*endpoint)(c).Ping(nil) // returns none
		} else {
			(*endpoint)(c).Pong()
		}
		i.allow(c.hub.now(), 0, n, false)
		return nil, true
	case n == 0: // a reader will find out why
		return nil, false
	}
	return append(early, buf[:n]...), false
}
