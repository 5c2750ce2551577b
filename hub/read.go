package hub

import (
	"errors"
	"net"
	"time"

	"github.com/gohubkit/hubkit/internal/decoder"
	"github.com/gohubkit/hubkit/protocol"
)

// hot is how long a goroutine stays with a connection after a message, and hotAfter how many must have come so
// soon after each other for one to stay at all. Connections that speak now and then, only answer pings, or have just
// come, join and fall silent, cost a goroutine for as long as it takes to read; busy ones cost no call to the
// poller.
const (
	hot      = time.Second
	hotAfter = 3
)

// now is the time since the hub's start.
func (h *Hub) now() time.Duration { return time.Since(h.start) }

// readable is called by the poller.
func (h *Hub) readable(token uint64) {
	if c := h.conns.find(token); c != nil {
		h.life.run(c.wake)
	}
}

// wake reads from a connection that was idle.
func (c *Conn) wake() {
	// The reader before armed the poller under this lock: taking it makes what that reader wrote visible
	// here, which the way through the kernel does not.
	if err := c.writer.Use(func(int) error { return nil }); err != nil {
		return // gone meanwhile
	}
	c.readLoop(c.hub.decoders.Get((*link)(c), c.deflate))
}

// readLoop reads and handles until the connection is idle or at its end. It owns d. For one connection there
// is at most one, since the poller reports a socket once and then not until it is armed again.
func (c *Conn) readLoop(d *decoder.Decoder) {
	h := c.hub
	linger := time.Duration(0) // the first wait is for what has arrived already
	for {
		ready, err := d.Wait(linger)
		if err != nil {
			c.endRead(d, err)
			return
		}
		if !ready {
			break
		}
		opcode, payload, err := d.Next(h.conf.readTimeout)
		if err != nil {
			c.endRead(d, err)
			return
		}
		h.beats.Heard(&c.beat)
		busy := c.handle(opcode, payload)
		if !c.watched || d.Buffered() > 0 {
			continue
		}
		if !busy {
			break
		}
		linger = hot
	}
	if err := h.decoders.Put(d); err != nil {
		c.drop(err)
		return
	}
	err := c.writer.Use(func(fd int) error { return h.poller.Arm(fd, c.token()) })
	if err != nil && !errors.Is(err, net.ErrClosed) { // see readFailed
		c.drop(err)
	}
}

// endRead ends a connection whose reader got err. The Decoder is given back first: the end may take its time.
func (c *Conn) endRead(d *decoder.Decoder, err error) {
	_ = c.hub.decoders.Put(d) // err says more
	c.readFailed(err)
}

// handle handles one message, ping or pong, and reports whether more is to be expected soon.
func (c *Conn) handle(opcode int, payload []byte) (busy bool) {
	now := c.hub.now()
	ms := uint32(now / time.Millisecond)
	soon := ms-c.lastMessage < uint32(hot/time.Millisecond)
	busy = soon && c.streak >= hotAfter
	if opcode == decoder.Pong {
		return busy
	}
	if each := c.hub.conf.each; each > 0 {
		if wait, ok := c.limit.allow(now, each, c.hub.conf.burst); !ok {
			c.tooFast(wait, opcode)
			return busy
		}
	}
	if opcode == decoder.Ping {
		return busy
	}
	c.lastMessage = ms
	switch {
	case !soon:
		c.streak = 0
	case c.streak < hotAfter:
		c.streak++
	}
	c.hub.stats.received.Add(1)
	if c.closing.Load() {
		return busy
	}
	if c.kind == raw {
		c.handleRaw(opcode, payload)
	} else {
		c.handleFrame(opcode, payload)
	}
	return busy
}

// tooFast refuses a message beyond the rate limit, and a client that goes on all the same.
func (c *Conn) tooFast(wait time.Duration, opcode int) {
	c.hub.stats.limited.Add(1)
	if c.kind == raw || int(c.limit.refused) > c.hub.conf.burst {
		c.shut(&CloseError{Code: protocol.CloseRateLimited, Reason: "too fast", RetryAfter: max(wait, time.Second)})
		return
	}
	if opcode != decoder.Ping {
		c.replyError(0, "", &Error{Code: protocol.CodeRateLimited, Message: "too many messages", RetryAfter: wait})
	}
}
