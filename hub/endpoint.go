package hub

import (
	"errors"
	"net"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/protocol"
)

// endpoint is a Conn as the engine's packages see it: a decoder.Owner, a wire.Owner and a life.Owner.
type endpoint Conn

// NetConn implements decoder.Owner.
func (e *endpoint) NetConn() net.Conn { return e.conn }

// WriteWire implements decoder.Owner: gorilla's own frames take their place in the order of all others.
func (e *endpoint) WriteWire(p []byte) error {
	if len(p) > 0 && p[0]&0x80 != 0 && p[0]&0xf == frame.Close {
		e.writer.Finish(p)
		return nil
	}
	return e.writer.SendOne(p)
}

// Ping implements decoder.Owner: a ping is answered, within the limits. It is counted here because it may come in
// the midst of a message, too, as often as the other side likes.
func (e *endpoint) Ping(payload []byte) error {
	if !(*intake)(e).allowControl() {
		return nil
	}
	var buf [frame.MaxControl + 2]byte
	// After a close frame nothing is answered, but the other side's is still to be read. Where the
	// writer has failed, it has said so itself, and better than the reader could.
	_ = e.writer.SendOne(frame.Append(buf[:0], frame.Pong, payload))
	return nil
}

// Pong implements decoder.Owner. The answer to the hub's ping is free. A pong that nobody asked for is legal
// (RFC 6455 5.5.3) and counts like a message, wherever it comes. That something was heard is noted for every message.
func (e *endpoint) Pong() {
	if !e.marks.take(askedMark) {
		(*intake)(e).allowControl()
	}
}

// WriterFailed implements wire.Owner.
func (e *endpoint) WriterFailed(err error) {
	c := (*Conn)(e)
	code := protocol.CloseAbnormal
	switch {
	case errors.Is(err, wire.ErrTimeout):
		code = protocol.CloseWriteTimeout
	case errors.Is(err, wire.ErrCrashed):
		code = protocol.CloseInternal
	}
	c.abort(&CloseError{Code: code, Err: err})
}

// WriterFull implements wire.Owner. The client has the close timeout to take the close frame.
func (e *endpoint) WriterFull() {
	(*Conn)(e).closeWith(&CloseError{Code: protocol.CloseSlowConsumer, Reason: "slow consumer", Err: wire.ErrOverflow})
}

// WriterBehind implements wire.Owner.
func (e *endpoint) WriterBehind(room *frame.Source) {
	c := (*Conn)(e)
	c.hub.life.RunFor((*endpoint)(c), func() { c.replay(room) })
}

// Run implements wire.Owner.
func (e *endpoint) Run(f func()) { e.hub.life.RunFor(e, f) }

// Crashed implements life.Owner.
func (e *endpoint) Crashed(v any) { (*Conn)(e).crashed(v) }

// pulse is a Conn as the heartbeat monitor sees it.
type pulse Conn

var pingFrame = frame.Append(nil, frame.Ping, nil)

// Heartbeat implements heartbeat.Peer.
func (p *pulse) Heartbeat() *heartbeat.Entry { return &p.beat }

// Ping implements heartbeat.Peer.
func (p *pulse) Ping() {
	p.marks.set(askedMark)
	_ = p.writer.SendOne(pingFrame)
}

// Expire implements heartbeat.Peer. A peer that has answered, but whose answer waits behind a handler
// that is taking its time, is alive: cutting all those off at once is how a slow database becomes
// an outage. So is one that takes what it is sent, slowly, with the ping still on its way.
func (p *pulse) Expire() bool {
	c := (*Conn)(p)
	if netpoll.Unread(c.conn) || time.Since(c.writer.Moved()) < c.hub.conf.heartbeat.Timeout {
		return false
	}
	c.closeNow(&CloseError{Code: protocol.CloseHeartbeatTimeout, Reason: "heartbeat timeout"})
	return true
}
