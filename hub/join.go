package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/protocol"
)

func (h *Hub) newRooms() *rooms.Node {
	return rooms.New(rooms.Config{
		Context:         h.ctx,
		Run:             h.life.Run,
		Held:            h.memory.add,
		Log:             h.log,
		Broker:          h.broker,
		Scheduler:       h.sched,
		Rule:            func(room string) *rooms.Rule { return &h.rule(room).Rule },
		Presence:        h.presence,
		Raw:             h.conf.raw,
		Degrade:         h.conf.outage == OutageDegrade,
		Linger:          h.conf.linger,
		MaxRooms:        h.conf.maxRooms,
		BacklogMessages: h.conf.backlogMessages,
		BacklogBytes:    h.conf.backlogBytes,
	})
}

// JoinOption changes a Join, which reports every fault of every option together.
type JoinOption func(*joinOptions) error

type joinOptions struct{ start rooms.Start }

// Since goes on from a position: what was published after it is sent first. The zero Position is none. Since comes before
// Newest if both are given.
func Since(p broker.Position) JoinOption {
	return func(o *joinOptions) error {
		o.start.Since = p
		return nil
	}
}

// Newest sends the newest n messages first. Zero sends none.
func Newest(n int) JoinOption {
	return func(o *joinOptions) error {
		if n < 0 {
			return fmt.Errorf("Newest: %d is negative", n)
		}
		o.start.Last = n
		return nil
	}
}

// Join puts the connection into a room, without asking OnJoin. In a room with history it goes on from where the client's
// hello says that it was, unless an option says otherwise. It blocks until the broker has subscribed, and until what is
// replayed is on its way. Joining a room again does nothing. A client of protocol v1 is told of the join with an ok frame.
//
// The error matches ErrNoHistory if an option needs history, ErrTooManyRooms, ErrJoining, ErrOption, ErrClosed,
// broker.ErrRoomName or broker.ErrUnavailable, or is that of ctx.
func (c *Conn) Join(ctx context.Context, room string, opts ...JoinOption) error {
	if c.state.at() == handshaking {
		return ErrClosed
	}
	o, err := apply[joinOptions](opts)
	if err != nil {
		return err
	}
	if o.start.IsZero() {
		// Where the room has no history any more, that is no reason to refuse a client that comes back.
		if pos := c.takeResume(room); c.hub.rule(room).Retention.Enabled() {
			o.start.Since = toBroker(pos)
		}
	}
	return c.hub.rooms.Join(ctx, (*member)(c), 0, room, o.start)
}

// Leave takes the connection out of a room. In rooms with presence it blocks while the broker is told. Leaving a room it is
// not in does nothing. The error matches ErrJoining while a Join of the room is under way, or is the broker's: the
// connection has left all the same.
func (c *Conn) Leave(ctx context.Context, room string) error {
	_, err := c.leave(ctx, room)
	return err
}

func (c *Conn) leave(ctx context.Context, room string) (was bool, err error) {
	o := (*grantee)(c)
	g := o.held(room)
	was, err = c.hub.rooms.Leave(ctx, (*member)(c), room)
	if was && !errors.Is(err, ErrJoining) {
		o.drop(g)
	}
	return was, err
}

// member is a Conn as its rooms see it.
type member Conn

// Memberships implements rooms.Member.
func (m *member) Memberships() *rooms.Memberships { return &m.rooms }

// Writer implements rooms.Member.
func (m *member) Writer() *wire.Writer { return &m.writer }

// Context implements rooms.Member.
func (m *member) Context() context.Context { return (*Conn)(m).Context() }

// Presence implements rooms.Member.
func (m *member) Presence() broker.Member {
	c := (*Conn)(m)
	id := c.Identity()
	return broker.Member{Conn: c.ID(), User: id.User, Info: id.Info}
}

// Joined implements rooms.Member.
func (m *member) Joined(request uint64, room string, from broker.Position) {
	if m.kind == raw {
		return
	}
	g := (*grantee)(m).held(room)
	(*Conn)(m).send(func(dst []byte) []byte {
		return protocol.AppendOK(dst, protocol.OK{
			ID: request, Room: room, Epoch: from.Epoch, Offset: from.Offset, Expires: g.validFor(), ReadOnly: g.readOnly(),
		})
	})
}

// Rescue implements rooms.Member.
func (m *member) Rescue() {
	if v := recover(); v != nil { //nolint:revive // it is what is deferred
		(*Conn)(m).crashed(v)
	}
}

// replay reads on in the history of a room that the connection had no place for, and closes the connection if that fails.
func (c *Conn) replay(src *frame.Source) {
	room, err := c.hub.rooms.Replay((*member)(c), src)
	if err == nil {
		return
	}
	c.hub.log.Error("reading on from history failed", "conn", c.ID(), "room", room, "err", err)
	if errors.Is(err, broker.ErrUnavailable) {
		c.closeWith(c.hub.unavailable(err))
	} else {
		c.closeWith(&CloseError{Code: protocol.CloseReconnect, Err: err})
	}
}
