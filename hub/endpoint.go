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
func (e *endpoint) NetConn() net.Conn { return e.writer.Conn() }

// WriteWire implements decoder.Owner: gorilla's own frames take their place in the order of all others.
func (e *endpoint) WriteWire(p []byte) error {
	if len(p) > 0 && p[0]&0x80 != 0 && p[0]&0xf == frame.Close {
		e.writer.FinishLast(p)
		return nil
	}
	return e.writer.SendControl(p)
}

// Ping implements decoder.Owner. It answers a ping within the rate limit. It counts the ping here, because a ping may
// also come in the middle of a message, as often as the client likes.
func (e *endpoint) Ping(payload []byte) error {
	if !(*intake)(e).allowControl() {
		return nil
	}
	var buf [frame.MaxControl + 2]byte
	// After a close frame the hub answers nothing, but it still reads the client's. A writer that
	// has failed has reported that itself, and better than the reader could.
	_ = e.writer.SendControl(frame.Append(buf[:0], frame.Pong, payload))
	return nil
}

// Pong implements decoder.Owner. The answer to the hub's ping is free. An unsolicited pong is legal (RFC 6455 5.5.3)
// and counts like a message. The heartbeat is noted elsewhere, for every message.
func (e *endpoint) Pong() {
	if !e.state.take(askedMark) {
		(*intake)(e).allowControl()
		return
	}
	e.hub.roundTrip.pong((*Conn)(e))
}

// Config implements wire.Owner.
func (e *endpoint) Config() *wire.Config { return &e.hub.wire }

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

// Heartbeat implements heartbeat.Peer.
func (p *pulse) Heartbeat() *heartbeat.Entry { return &p.beat }

// Ping implements heartbeat.Peer.
func (p *pulse) Ping() {
	c := (*Conn)(p)
	if c.kind == events { // no client answers on one
		p.hub.beats.Heard(&p.beat)
	} else {
		p.state.set(askedMark)
		p.hub.roundTrip.ping(c)
	}
	_ = p.writer.SendControl(c.codec().Beat())
}

// Expire implements heartbeat.Peer. A peer whose answer waits behind a slow handler is alive. Closing all such
// connections at once is how a slow database becomes an outage. A peer that reads slowly, with the ping still on its
// way, is alive too.
func (p *pulse) Expire() bool {
	c := (*Conn)(p)
	if c.kind == events || netpoll.Unread(c.writer.Conn()) || time.Since(c.writer.Moved()) < c.hub.conf.heartbeat.Timeout {
		return false
	}
	c.closeNow(&CloseError{Code: protocol.CloseHeartbeatTimeout, Reason: "heartbeat timeout"})
	return true
}
