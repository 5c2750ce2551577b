package hub

import (
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/sock"
	"github.com/gohubkit/hubkit/protocol"
)

// intake is a Conn as the receiver of what the client has sent: its reader, or the poller for a beat alone.
type intake Conn

// allow counts what was read against the connection's limits, and reports whether they allow it. If not, it answers the
// client if answer is set, and closes the connection of a client that keeps exceeding them.
func (i *intake) allow(now time.Duration, messages, bytes int, answer bool) bool {
	return i.charge(now, messages, bytes, 0, nil, answer)
}

// allowFrame is allow for a message. The refusal carries its ID, so that the client knows which of its requests it was.
func (i *intake) allowFrame(now time.Duration, bytes int, frame []byte) bool {
	return i.charge(now, 1, bytes, 0, frame, true)
}

// charge is allow for a request with an id, which is read from its frame if that is not nil.
func (i *intake) charge(now time.Duration, messages, bytes int, id uint64, frame []byte, answer bool) bool {
	conf := &i.hub.conf
	if l := conf.messages; messages > 0 && l.Enabled() {
		i.pay(l)
		if wait, ok := i.messages.Take(now, messages, l); !ok {
			i.tooFast(wait, "too many messages", i.messages.Stubborn(l), id, frame, answer)
			return false
		}
	}
	if l := conf.bytes; bytes > 0 && l.Enabled() {
		if wait, ok := i.bytes.Take(now, bytes, l); !ok {
			i.tooFast(wait, "too many bytes", i.bytes.Stubborn(l), id, frame, answer)
			return false
		}
	}
	return true
}

// allowControl counts a ping or a pong as a message. Such a frame has no ID that a refusal could name, so only the
// first refusal is answered.
func (i *intake) allowControl() bool {
	now := i.hub.now()
	return i.allow(now, 1, 0, !i.messages.Refusing(now))
}

func (i *intake) tooFast(wait time.Duration, message string, stubborn bool, id uint64, frame []byte, answer bool) {
	c := (*Conn)(i)
	c.hub.stats.limited.Add(1)
	switch {
	case c.kind == raw || stubborn:
		c.closeWith(&CloseError{Code: protocol.CloseRateLimited, Reason: "too fast", RetryAfter: max(wait, time.Second)})
	case answer:
		if frame != nil {
			id = c.codec().RequestID(frame)
		}
		c.replyError(id, "", &Error{Code: protocol.CodeRateLimited, Message: message, RetryAfter: wait})
	}
}

// beatHead is the length of the head of a short frame, with its mask.
const beatHead = 6

// beat is a frame that a client sends as a sign of life: a ping or a pong without payload, or a ping of the protocol.
type beat struct {
	opcode  byte   // zero if it is none
	request bool   // a ping of the protocol
	id      uint64 // of that
	size    int
}

// beatIn parses what the socket had, if that is one beat and nothing else. It unmasks p.
func (c *Conn) beatIn(p []byte) (b beat) {
	if len(p) < beatHead || p[1]&0x80 == 0 || len(p) != beatHead+int(p[1]&0x7f) {
		return b
	}
	opcode, form := p[0]^0x80, c.writer.Form()
	switch {
	case opcode == decoder.Pong || opcode == decoder.Ping:
		if len(p) > beatHead {
			return b // a payload, which is to be answered as it is
		}
	case opcode == form.Opcode() && c.kind != raw && !c.state.has(helloMark|heavyMark):
		mask, payload := p[2:beatHead], p[beatHead:]
		for i := range payload {
			payload[i] ^= mask[i&3]
		}
		id, ok := codec.Ping(form, payload)
		if !ok {
			for i := range payload {
				payload[i] ^= mask[i&3] // a reader goes on with it
			}
			return b
		}
		b.request, b.id = true, id
	default:
		return b
	}
	b.opcode, b.size = opcode, len(p)
	return b
}

// takeBeat takes a beat off the socket of a connection whose last frame was one too, and arms the poller again. With a
// million connections 40,000 beats come a second, and this way they need neither a goroutine nor a decoder. takeBeat
// returns anything else that it has read from the socket. The poller calls it, and starts no reader meanwhile.
func (i *intake) takeBeat() (early []byte, done bool) {
	c := (*Conn)(i)
	var buf [beatHead + codec.MaxPing + 1]byte // one more, to see that this is all
	n := 0
	var b beat
	c.writer.TryUse(func(fd int) { // for the reason that readers.wake has, too
		if !c.beats || c.state.has(tapped) { // a reader shows frames to taps
			return
		}
		n, _ = sock.Recv(fd, buf[:]) // the next reader gets the error
		if b = c.beatIn(buf[:max(n, 0)]); b.opcode != 0 {
			done = c.hub.poller.Arm(fd, c.entry.Token()) == nil
		}
	})
	switch {
	case done:
		c.hub.beats.Heard(&c.beat)
		i.heard(b)
		return nil, true
	case n <= 0: // a reader gets the error
		return nil, false
	case b.request: // which was unmasked, and has to be read again
		for k, at := 0, beatHead; at < n; k, at = k+1, at+1 {
			buf[at] ^= buf[2+k&3]
		}
	}
	return append(early, buf[:n]...), false
}

// heard counts a beat against the limits, as a reader does, and answers it.
func (i *intake) heard(b beat) {
	c := (*Conn)(i)
	c.traffic.bytes.Add(uint64(b.size))
	switch {
	case b.request:
		c.traffic.messages.Add(1)
		i.ping(b)
		return
	case b.opcode == decoder.Ping:
		_ = (*endpoint)(c).Ping(nil) // returns none
	default:
		(*endpoint)(c).Pong()
	}
	i.allow(c.hub.now(), 0, b.size, false)
}

// ping does for a ping of the protocol what frameReader.handle does for every message. It does not block.
func (i *intake) ping(b beat) {
	c := (*Conn)(i)
	now := c.hub.now()
	if !i.charge(now, 1, b.size, b.id, nil, true) {
		return
	}
	if ms := uint32(now / time.Millisecond); ms-c.lastMessage.Swap(ms) >= uint32(hot/time.Millisecond) {
		c.streak = 0
	}
	c.hub.stats.received.Add(1)
	c.state.handle(atFrame)
	if c.state.at() < closing {
		(*v1Client)(c).replyOK(b.id)
	}
	c.state.handle(atRest)
	if c.state.at() >= closing {
		c.hub.life.RunFor((*endpoint)(c), c.closeIfAnswered)
	}
}
