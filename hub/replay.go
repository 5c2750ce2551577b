package hub

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// replaying is a room whose history is read because the connection had no place for its messages.
type replaying struct {
	room   *room
	cancel context.CancelFunc
	done   chan struct{}
	again  bool // it has fallen behind anew
}

// replayPause is between two tries while the broker cannot be reached.
const replayPause = 500 * time.Millisecond

// replay reads on in the history of a room until the connection is in step with it again, or has left it.
func (c *Conn) replay(src *frame.Source) {
	defer c.rescue()
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	p := c.beginReplay(src, cancel)
	if p == nil {
		return
	}
	defer close(p.done)
	for {
		err := c.readOn(ctx, p.room)
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) && !errors.Is(err, broker.ErrClosed) {
			c.hub.log.Error("reading on from history failed", "conn", c.ID(), "room", p.room.name, "err", err)
			if errors.Is(err, broker.ErrUnavailable) {
				c.closeWith(c.hub.unavailable(err))
			} else {
				c.closeWith(&CloseError{Code: protocol.CloseReconnect, Err: err})
			}
		}
		c.mu.Lock()
		if !p.again || err != nil {
			c.forgetReplay(p)
			c.mu.Unlock()
			return
		}
		p.again = false
		c.mu.Unlock()
	}
}

// beginReplay returns nil where nothing is to be done: the connection has left the room, or somebody reads
// already.
func (c *Conn) beginReplay(src *frame.Source, cancel context.CancelFunc) *replaying {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.at() == closed {
		return nil
	}
	for i := range c.rooms {
		r := c.rooms[i].room
		if r.Source() != src {
			continue
		}
		if p := c.replayOf(r); p != nil {
			p.again = true
			return nil
		}
		p := &replaying{room: r, cancel: cancel, done: make(chan struct{})}
		m := c.more()
		m.replays = append(m.replays, p)
		return p
	}
	return nil
}

// replayOf is called with mu held.
func (c *Conn) replayOf(r *room) *replaying {
	if c.extra != nil {
		for _, p := range c.extra.replays {
			if p.room == r {
				return p
			}
		}
	}
	return nil
}

// forgetReplay is called with mu held.
func (c *Conn) forgetReplay(p *replaying) {
	m := c.more()
	for i := range m.replays {
		if m.replays[i] == p {
			m.replays[i] = m.replays[len(m.replays)-1]
			m.replays = m.replays[:len(m.replays)-1]
			break
		}
	}
	if len(m.replays) == 0 {
		m.replays = nil
	}
	c.trim()
}

func (c *Conn) readOn(ctx context.Context, r *room) error {
	read, ok := c.writer.Behind(r.Source())
	if !ok {
		return nil
	}
	x := reader{c: c, r: r, since: r.position(fanout.Mark(read))}
	x.answer = func(broker.Position) {}
	x.missed = func(to fanout.Mark) { c.writer.Skip(r.Source(), uint64(to)) }
	x.join = func(since fanout.Mark) bool {
		return r.Rejoin(since, func() { c.writer.Resume(r.Source(), uint64(since)) })
	}
	for {
		err := x.read(ctx)
		if err == nil || ctx.Err() != nil ||
			!errors.Is(err, broker.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if err := pause(ctx, replayPause); err != nil {
			return err
		}
	}
}

// part takes the connection out of a room's passes, and ends what is read of the history for it. It blocks until
// nobody reads any more.
func (c *Conn) part(r *room, place fanout.Place) {
	r.Leave(&c.writer, place)
	c.mu.Lock()
	p := c.replayOf(r)
	c.mu.Unlock()
	if p != nil {
		p.cancel()
		<-p.done
	}
	c.writer.Forget(r.Source())
}
