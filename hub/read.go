package hub

import (
	"time"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/sock"
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
func (h *Hub) readable(token uint64, data bool) {
	c := h.conns.Find(token)
	if c == nil {
		return
	}
	var early []byte
	if data {
		var done bool
		if early, done = c.takeBeat(); done {
			return
		}
	}
	h.life.RunFor((*link)(c), func() { c.wake(early) })
}

// beatLen is the length of a ping or pong without payload: a header with its mask.
const beatLen = 6

// takeBeat takes a ping or a pong off the socket of a connection from which the last to come was one too, and arms the
// poller again: with a million connections 40,000 come a second, and neither a goroutine nor a decoder is needed for them.
// Anything else that the socket had is returned, as far as it was read. It is called by the poller, which starts no
// reader meanwhile.
func (c *Conn) takeBeat() (early []byte, done bool) {
	var buf [beatLen + 1]byte // one more, to see that this is all
	n, opcode := 0, 0
	c.writer.TryUse(func(fd int) { // for the reason that wake has, too
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
			_ = (*link)(c).Ping(nil) // returns none
		} else {
			(*link)(c).Pong()
		}
		c.within(c.hub.now(), 0, n, false)
		return nil, true
	case n == 0: // a reader will find out why
		return nil, false
	}
	return append(early, buf[:n]...), false
}

// wake reads from a connection that was idle, of which some bytes may have been read.
func (c *Conn) wake(early []byte) {
	// The reader before armed the poller under this lock: taking it makes what that reader wrote visible
	// here, which the way through the kernel does not.
	if err := c.writer.Use(func(int) error { return nil }); err != nil {
		return // gone meanwhile
	}
	c.read(c.hub.decoders.GetWith((*link)(c), c.deflate, early))
}

// read reads and handles until the connection is idle or at its end, which it sees to. It owns d. For one connection
// there is at most one, since the poller reports a socket once and then not until it is armed again.
//
// If a callback ends this goroutine, another one goes on.
func (c *Conn) read(d *decoder.Decoder) {
	at := c.hub.readers.enter(c)
	returned := false
	defer func() {
		c.hub.readers.leave(at)
		if v := recover(); v != nil {
			c.crashed(v)
			c.hub.life.RunFor((*link)(c), c.linger)
		} else if !returned && c.handling.Load() != atRest {
			c.handled()
			c.hub.life.RunFor((*link)(c), func() { c.read(d) })
		}
	}()
	if err := c.readLoop(d, at); err != nil {
		c.readFailed(err)
	}
	returned = true
}

// readLoop returns nil when the connection is idle, and d has been given back in any case: the end may take its time.
func (c *Conn) readLoop(d *decoder.Decoder, at *reading) error {
	h := c.hub
	linger := time.Duration(0) // the first wait is for what has arrived already
	for {
		ready, err := d.Wait(linger)
		if err != nil {
			_ = h.decoders.Put(d) // err says more
			return err
		}
		if !ready {
			break
		}
		opcode, payload, err := d.Next(h.conf.readTimeout)
		if err != nil {
			_ = h.decoders.Put(d) // err says more
			return err
		}
		h.beats.Heard(&c.beat)
		if !c.watched {
			at.conn.Store(c)
		}
		busy := c.handle(opcode, payload, d)
		if !c.watched {
			at.conn.Store(nil) // it may be long until the next message
		}
		if !c.watched || d.Buffered() > 0 {
			continue
		}
		if !busy {
			break
		}
		linger = hot
	}
	if err := h.decoders.Put(d); err != nil {
		return err
	}
	return c.writer.Use(func(fd int) error { return h.poller.Arm(fd, c.entry.Token()) })
}

// handle handles one message, ping or pong, that d has read, and reports whether more is to be expected soon.
func (c *Conn) handle(opcode int, payload []byte, d *decoder.Decoder) (busy bool) {
	size := d.Size()
	now := c.hub.now()
	ms := uint32(now / time.Millisecond)
	soon := ms-c.lastMessage.Load() < uint32(hot/time.Millisecond)
	busy = soon && c.streak >= hotAfter
	if c.beats = opcode == decoder.Ping || opcode == decoder.Pong; c.beats {
		c.within(now, 0, size, false) // link has counted it as a message, unless it answers a ping
		return busy
	}
	if !c.frameWithin(now, size, payload) {
		return busy
	}
	c.lastMessage.Store(ms)
	switch {
	case !soon:
		c.streak = 0
	case c.streak < hotAfter:
		c.streak++
	}
	c.hub.stats.received.Add(1)
	c.handling.Store(ahead(d))
	if c.state.at() < closing {
		if c.kind == raw {
			c.handleRaw(opcode, payload)
		} else {
			c.handleFrame(opcode, payload)
		}
	}
	c.handled()
	return busy
}

// handled is called after a message.
func (c *Conn) handled() {
	c.handling.Store(atRest)
	if c.state.at() >= closing {
		c.closeIfAnswered()
	}
}
