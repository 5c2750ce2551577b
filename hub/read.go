package hub

import (
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/stack"
)

// hot is how long a goroutine stays with a connection after a message. hotAfter is how many messages must follow each
// other that fast before a goroutine stays at all. A quiet connection costs a goroutine only while it is read: one that
// speaks now and then, only answers pings, or joins and falls silent. A busy connection costs no call to the poller.
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
	if c.kind == events {
		h.life.RunFor((*endpoint)(c), c.readStream)
		return
	}
	var early []byte
	if data && c.watched == byPoller {
		var done bool
		if early, done = (*intake)(c).takeBeat(); done {
			return
		}
	}
	h.life.RunFor((*endpoint)(c), func() {
		stack.Reserve()
		h.readers.wake(c, early)
	})
}

// frameReader is a goroutine that reads from a connection and handles what comes, until the connection is idle or ends.
// Then it parks the connection, or ends it. A connection has at most one, since the poller reports a socket once, and
// then not until it is armed again.
type frameReader struct {
	at      atomic.Pointer[Conn] // by which the lookout finds the connection; nil while the reader only waits
	conn    *Conn
	decoder *decoder.Decoder
}

// wake reads from a connection that was idle. Some bytes may have been read already.
func (rs *readers) wake(c *Conn, early []byte) {
	// The previous reader armed the poller under this lock. Taking it makes what that reader wrote visible
	// here; the way through the kernel does not.
	if err := c.writer.Use(func(int) error { return nil }); err != nil {
		return // gone meanwhile
	}
	rs.read(c, c.hub.decoders.GetWith((*endpoint)(c), c.state.has(deflateMark), early))
}

// read reads from a connection. It owns d. If a callback ends this goroutine, another one goes on.
func (rs *readers) read(c *Conn, d *decoder.Decoder) {
	r := rs.enter(c, d)
	returned := false
	defer func() {
		if v := recover(); v != nil {
			c.crashed(v)
			c.hub.life.RunFor((*endpoint)(c), (*ending)(c).linger)
		} else if !returned && c.state.handling() != atRest {
			r.handled()
			c.hub.life.RunFor((*endpoint)(c), func() { rs.read(c, d) })
		}
		rs.leave(r)
	}()
	if err := r.run(); err != nil {
		(*ending)(c).failed(err)
	}
	returned = true
}

// during calls f, which handles the connection before anything is read from it.
func (rs *readers) during(c *Conn, d *decoder.Decoder, f func()) {
	r := rs.enter(c, d)
	c.state.handle(ahead(d))
	defer func() {
		r.handled()
		rs.leave(r)
	}()
	f()
}

// run returns nil when the connection is idle. In any case it has given the decoder back, because the end may take a
// while.
func (r *frameReader) run() error {
	c, d := r.conn, r.decoder
	h := c.hub
	linger := time.Duration(0) // the first wait is for what has arrived already
	if c.watched == byPollerSeal {
		linger = hot // that may be less than a message
	}
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
		c.traffic.bytes.Add(uint64(d.Wire()))
		if err != nil {
			_ = h.decoders.Put(d) // err says more
			return err
		}
		h.beats.Heard(&c.beat)
		if c.watched == byReader {
			r.at.Store(c)
		}
		busy := r.handle(opcode, payload)
		if c.state.has(gathersMark) && !d.Whole() { // else the answer to what comes next goes with those before it
			c.letGo()
		}
		if c.watched == byReader {
			r.at.Store(nil) // it may be long until the next message
		}
		if c.watched == byReader || d.Buffered() > 0 {
			continue
		}
		if !busy && c.watched == byPoller {
			break
		}
		linger = hot
		if !busy {
			linger = decoder.AtOnce // TLS may have read more than it has given
		}
	}
	if err := h.decoders.Put(d); err != nil {
		return err
	}
	return c.writer.Use(func(fd int) error { return h.poller.Arm(fd, c.entry.Token()) })
}

// handle handles one message, ping or pong that the decoder has read. It reports whether to expect more soon.
func (r *frameReader) handle(opcode int, payload []byte) (busy bool) {
	c := r.conn
	size := r.decoder.Size()
	if c.state.has(tapped) {
		c.showFrame(opcode, payload)
	}
	now := c.hub.now()
	ms := uint32(now / time.Millisecond)
	soon := ms-c.lastMessage.Load() < uint32(hot/time.Millisecond)
	busy = soon && c.streak >= hotAfter
	if c.beats = opcode == decoder.Ping || opcode == decoder.Pong; c.beats {
		(*intake)(c).allow(now, 0, size, false) // endpoint has counted it as a message, unless it answers a ping
		return busy
	}
	c.traffic.messages.Add(1)
	if c.kind != raw {
		_, c.beats = codec.Ping(c.writer.Form(), payload)
	}
	if !(*intake)(c).allowFrame(now, size, payload) {
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
	c.hub.stats.receivedBytes.Add(int64(size))
	c.state.handle(ahead(r.decoder))
	if c.state.at() < closing {
		if c.kind == raw {
			c.handleRaw(opcode, payload)
		} else {
			(*v1Client)(c).handleFrame(opcode, payload)
		}
	}
	r.handled()
	return busy
}

// handled is called after a message.
func (r *frameReader) handled() {
	r.conn.state.handle(atRest)
	if r.conn.state.at() >= closing {
		r.conn.closeIfAnswered()
	}
}
