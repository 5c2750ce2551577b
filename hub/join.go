package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/protocol"
)

// membership is a room that a connection is in, or is joining.
type membership struct {
	room    *room
	place   fanout.Place
	joining bool
}

// JoinOption changes a Join, which reports every fault of every option together.
type JoinOption func(*joinOptions) error

type joinOptions struct {
	since broker.Position
	last  int
}

// Since goes on from a position: what was published after it is sent first. The zero Position is none. Since comes before
// Newest if both are given.
func Since(p broker.Position) JoinOption {
	return func(o *joinOptions) error {
		o.since = p
		return nil
	}
}

// Newest sends the newest n messages first. Zero sends none.
func Newest(n int) JoinOption {
	return func(o *joinOptions) error {
		if n < 0 {
			return fmt.Errorf("Newest: %d is negative", n)
		}
		o.last = n
		return nil
	}
}

// Join puts the connection into a room, whoever may join it or not. In a room with history it goes on from
// where the client says in its hello that it was, unless an option says otherwise. It blocks until
// the broker has subscribed, and until what is replayed is on its way. Joining a room again
// does nothing.
//
// A client of protocol v1 is told of the join with an ok frame.
func (c *Conn) Join(ctx context.Context, room string, opts ...JoinOption) error {
	if c.state.at() == handshaking {
		return ErrClosed
	}
	o, err := apply[joinOptions](opts)
	if err != nil {
		return err
	}
	if o.since.IsZero() && o.last == 0 {
		// Where the room has no history any more, that is no reason to refuse a client that comes back.
		if pos := c.takeResume(room); c.hub.rule(room).retention.Enabled() {
			o.since = toBroker(pos)
		}
	}
	return c.join(ctx, 0, room, o)
}

// join is Join; id is that of the client's request.
func (c *Conn) join(ctx context.Context, id uint64, name string, o joinOptions) (err error) {
	if err := broker.CheckRoom(name); err != nil {
		return err
	}
	h := c.hub
	r := h.rooms.acquire(name)
	defer func() {
		if err != nil {
			h.rooms.release(r)
		}
	}()
	if (o.last > 0 || !o.since.IsZero()) && !r.rule.retention.Enabled() {
		return ErrNoHistory
	}
	if !o.since.IsZero() {
		o.last = 0 // a position promises every message after it
	}
	var place fanout.Place
	fresh, err := c.reserve(r, &place)
	switch {
	case err != nil:
		return err
	case fresh:
		place, err = c.enter(ctx, id, r, o)
	case !r.rule.retention.Enabled():
		h.rooms.release(r)
		c.replyJoined(id, name, broker.Position{})
		return nil
	default:
		// A member of a room with history wants a position, and maybe what follows it once more.
		h.rooms.release(r)
		c.part(r, place)
		if place, err = c.catchUp(ctx, id, r, o); err != nil && r.rule.presence {
			_ = c.absent(name)
		}
	}
	if err != nil {
		c.mu.Lock()
		c.forget(r)
		c.mu.Unlock()
		return err
	}
	c.mu.Lock()
	if c.state.at() == closed {
		c.forget(r)
		c.mu.Unlock()
		c.part(r, place)
		if r.rule.presence {
			_ = c.absent(name)
		}
		return ErrClosed
	}
	for i := range c.rooms {
		if c.rooms[i].room == r {
			c.rooms[i].place, c.rooms[i].joining = place, false
		}
	}
	c.mu.Unlock()
	return nil
}

// reserve notes that a room is being joined. It returns false where the connection is in it already; in a room
// with history it is then joining it again, from the place that it has.
func (c *Conn) reserve(r *room, place *fanout.Place) (fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.at() == closed {
		return false, ErrClosed
	}
	for i := range c.rooms {
		if m := &c.rooms[i]; m.room == r {
			if m.joining {
				return false, ErrJoining
			}
			*place, m.joining = m.place, r.rule.retention.Enabled()
			return false, nil
		}
	}
	if len(c.rooms) >= c.hub.conf.maxRooms {
		return false, fmt.Errorf("%w: %d already", ErrTooManyRooms, len(c.rooms))
	}
	c.rooms = append(c.rooms, membership{room: r, joining: true})
	return true, nil
}

// forget is called with mu held.
func (c *Conn) forget(r *room) {
	c.rooms = slices.DeleteFunc(c.rooms, func(m membership) bool { return m.room == r })
	if len(c.rooms) == 0 {
		c.rooms = nil
	}
}

// enter subscribes the node, announces the member, and makes the connection one.
func (c *Conn) enter(ctx context.Context, id uint64, r *room, o joinOptions) (fanout.Place, error) {
	if err := r.subscribe(ctx, c.hub); err != nil {
		return fanout.Place{}, err
	}
	if r.rule.presence {
		if err := c.present(ctx, r); err != nil {
			return fanout.Place{}, err
		}
	}
	var place fanout.Place
	var err error
	if r.rule.retention.Enabled() {
		place, err = c.catchUp(ctx, id, r, o)
	} else {
		// Who has heard that it is in must miss nothing.
		var ok bool
		place, ok = r.JoinAfter(&c.writer, 0, func() { c.replyJoined(id, r.name, broker.Position{}) })
		if !ok {
			err = errors.New("hub: a room without history refused a member")
		}
	}
	if err != nil && r.rule.presence {
		_ = c.absent(r.name)
	}
	return place, err
}

// present announces the connection as a member.
func (c *Conn) present(ctx context.Context, r *room) error {
	id := c.Identity()
	err := c.hub.presence.Enter(ctx, r.name, broker.Member{Conn: c.ID(), User: id.User, Info: id.Info})
	if err != nil {
		_ = c.absent(r.name) // an error does not say that nothing happened
		return err
	}
	r.attendance.Entered()
	return nil
}

// absent takes the connection's presence back where the context of whoever asked may be over: nobody else
// will do it.
func (c *Conn) absent(room string) error {
	ctx, cancel := context.WithTimeout(c.hub.ctx, teardownTimeout)
	defer cancel()
	return c.hub.presence.Leave(ctx, room, c.ID())
}

// replyJoined tells the client of the join. pos is zero in a room without history.
func (c *Conn) replyJoined(id uint64, room string, pos broker.Position) {
	if c.kind == raw {
		return
	}
	c.send(func(dst []byte) []byte {
		return protocol.AppendOK(dst, protocol.OK{ID: id, Room: room, Epoch: pos.Epoch, Offset: pos.Offset})
	})
}

// Leave takes the connection out of a room. It blocks while the broker is told, in rooms with presence.
// Leaving a room it is not in does nothing.
func (c *Conn) Leave(ctx context.Context, room string) error {
	_, err := c.leave(ctx, room)
	return err
}

func (c *Conn) leave(ctx context.Context, name string) (was bool, err error) {
	c.mu.Lock()
	for _, m := range c.rooms {
		if m.room.name != name {
			continue
		}
		if m.joining {
			c.mu.Unlock()
			return true, ErrJoining
		}
		c.forget(m.room)
		c.mu.Unlock()
		return true, c.depart(ctx, m.room, m.place)
	}
	c.mu.Unlock()
	return false, nil
}

// depart takes the connection out of a room that it holds no membership of any more.
func (c *Conn) depart(ctx context.Context, r *room, p fanout.Place) error {
	c.part(r, p)
	defer c.hub.rooms.release(r)
	if !r.rule.presence {
		return nil
	}
	err := c.hub.presence.Leave(ctx, r.name, c.ID())
	if err != nil && ctx.Err() != nil {
		err = c.absent(r.name)
	}
	return err
}
