package hub

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/protocol"
)

// TailedFrame is a frame of a connection as TailConn sees it.
type TailedFrame struct {
	// In is set if the client has sent the frame.
	In bool
	// Opcode is that of RFC 6455: 1 text, 2 binary, 8 close, 9 ping, 10 pong. It is zero for the events of an event
	// stream.
	Opcode byte
	// Time is when this node read the frame, or gave it to the connection to be sent.
	Time time.Time
	// Data is a copy of the payload in uncompressed form.
	Data []byte
	// Secret is set for a frame of the protocol that carries the client's token. Do not show its Data.
	Secret bool
	// Missed is how many frames before this one were left out, because TailConn's queue was full.
	Missed int64
}

// TailConn calls f with the frames of a connection of this node, until ctx or the connection ends. id is what Conn.ID
// returns. The client notices nothing, and no callback is called.
//
// A message that the client sends in several frames is shown as one, before any limit applies to it. A control frame
// within such a message is not shown. A frame of the hub is shown when it is written or put into the backlog; if the
// client is a slow consumer, the room's Overflow may drop it later. Messages that the client gets from a history are
// shown too. A compressed event stream is shown in compressed form.
//
// f is called in the caller's goroutine. If f is slow, up to 256 frames or 1 MiB wait. Further ones are left out and
// counted in Missed. A frame costs a copy for each TailConn of its connection. Other connections cost nothing more.
//
// TailConn blocks. It returns nil after the last frame of a connection that has ended. The error is that of ctx, or
// matches ErrNoConn or ErrClosed.
func (h *Hub) TailConn(ctx context.Context, id string, f func(TailedFrame)) error {
	if !h.life.Serving() {
		return ErrClosed
	}
	c := h.Conn(id)
	if c == nil {
		return ErrNoConn
	}
	t := &connTap{newTailQueue[TailedFrame](), wire.Tap{}}
	withHeader := c.writer.Form().Opcode() != 0 || c.kind == raw
	t.out.Sent = func(message []byte) { t.sent(message, withHeader) }
	over := make(chan struct{})
	stop := (*connContext)(c).after(func() { close(over) }, true)
	defer stop()
	c.tap(t)
	defer c.untap(t)
	return t.run(ctx, over, f)
}

// connTap receives the frames for one TailConn.
type connTap struct {
	*tailQueue[TailedFrame]
	out wire.Tap
}

func (c *Conn) tap(t *connTap) {
	c.writer.Tap(&t.out) // first: a request that is shown has its answer shown
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	m.taps = append(slices.Clip(m.taps), t)
	c.state.note(tapped)
}

func (c *Conn) untap(t *connTap) {
	c.writer.Untap(&t.out)
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	if i := slices.Index(m.taps, t); i >= 0 {
		m.taps = slices.Concat(m.taps[:i], m.taps[i+1:]) // showFrame may be at the old ones
	}
	if len(m.taps) == 0 {
		m.taps = nil
		c.state.clear(tapped)
		c.trim()
	}
}

// showFrame shows the taps a frame of the client. It is called in the reader's goroutine, if the connection is tapped.
func (c *Conn) showFrame(opcode int, payload []byte) {
	c.mu.Lock()
	var taps []*connTap
	if c.extra != nil {
		taps = c.extra.taps
	}
	c.mu.Unlock()
	if len(taps) == 0 {
		return
	}
	shown := TailedFrame{In: true, Opcode: byte(opcode), Time: time.Now(), Secret: c.hasToken(opcode, payload)}
	for _, t := range taps {
		t.show(shown, payload)
	}
}

// hasToken reports whether a frame may carry a token. A frame that cannot be read may.
func (c *Conn) hasToken(opcode int, payload []byte) bool {
	if c.kind == raw || opcode != frame.Text && opcode != frame.Binary {
		return false
	}
	var q protocol.Request
	err := c.codec().Request(payload, &q)
	return err != nil || q.Op == protocol.OpHello || q.Op == protocol.OpToken
}

// show keeps a frame with a copy of its payload.
func (t *connTap) show(f TailedFrame, payload []byte) {
	t.add(len(payload), func(missed int64) TailedFrame {
		f.Data, f.Missed = bytes.Clone(payload), missed
		return f
	})
}

// sent is called with a whole message in wire form, which is usually one frame.
func (t *connTap) sent(message []byte, withHeader bool) {
	now := time.Now()
	if !withHeader {
		t.show(TailedFrame{Time: now}, message)
		return
	}
	for len(message) > 0 {
		opcode, payload, rest := frame.Cut(message)
		t.show(TailedFrame{Opcode: opcode, Time: now}, payload)
		message = rest
	}
}
