package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/protocol"
)

func (h *Hub) newRooms() *rooms.Node {
	conf := rooms.Config{
		Context:         h.ctx,
		Run:             h.life.Run,
		Held:            h.memory.add,
		Log:             h.log,
		Errors:          rooms.Errors{Closed: ErrClosed, NoHistory: ErrNoHistory, TooMany: ErrTooManyRooms, Joining: ErrJoining},
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
		Stored:          h.histograms.brokered,
		Sent:            h.histograms.latency,
	}
	if h.conf.tracer != nil {
		conf.Store, conf.Delivering = h.store, h.delivering
	}
	return rooms.New(conf)
}

// JoinOption changes a Join. Join reports the faults of all its options together.
type JoinOption func(*joinOptions) error

type joinOptions struct{ start rooms.Start }

// Since makes the join resume from a position: the messages published after it are sent first. The default is the
// position in the client's hello, if it has one. The zero Position has no effect. Since takes precedence over Newest.
func Since(p broker.Position) JoinOption {
	return func(o *joinOptions) error {
		o.start.Since = p
		return nil
	}
}

// Newest makes the join send the newest n messages of the history first. The default is 0. A negative n is an error.
func Newest(n int) JoinOption {
	return func(o *joinOptions) error {
		if n < 0 {
			return fmt.Errorf("Newest: %d is negative", n)
		}
		o.start.Last = n
		return nil
	}
}

// Join puts the connection into a room, without asking OnJoin. In a room with history it resumes from the position in
// the client's hello, unless an option says otherwise. It blocks until the broker has subscribed, and until the
// replayed messages are on their way. Joining a room again does nothing. A client of protocol v1 gets a joined frame.
//
// When the client reconnects it names the room, and the application decides anew. If the application joins the room
// again in OnConnect, the room resumes from the client's position. If not, the client is told that it has left the
// room.
//
// If RemoveFromRoom takes the room away while a callback of the connection runs, a Join by that callback fails. What
// the callback has read may be out of date.
//
// The error matches ErrNoHistory if an option needs history. Otherwise it matches ErrTooManyRooms, ErrJoining,
// ErrRemoved, ErrOption, ErrClosed, broker.ErrRoomName or broker.ErrUnavailable, or is the error of ctx.
func (c *Conn) Join(ctx context.Context, room string, opts ...JoinOption) error {
	o, err := apply[joinOptions](opts)
	if err != nil {
		return err
	}
	if c.state.has(barredMark) && !inCallback() {
		c.unbar(room)
	}
	return c.serverJoin(ctx, room, o.start)
}

// serverJoin joins a room for the application.
func (c *Conn) serverJoin(ctx context.Context, room string, from rooms.Start) error {
	if at := c.state.at(); at == handshaking || at == closed { // LeaveAll may be still to come
		return ErrClosed
	}
	if c.kind == events {
		if err := c.streamRoom(room); err != nil {
			return err
		}
	}
	was := c.takeResume(room)
	// A room that no longer has history is no reason to refuse a client that reconnects.
	if from.IsZero() && c.hub.rule(room).Retention.Enabled() {
		from.Since = toBroker(was.Position)
	}
	err := c.hub.rooms.Join(ctx, (*member)(c), byServer, room, from)
	c.hub.roomChanged(room)
	if told, ok := errors.AsType[*rooms.ToldError](err); ok {
		c.tellLeft(room, leftError(told.Err))
		c.hasLeft(room)
		return told.Err
	}
	switch {
	case err != nil && was.byServer:
		c.tellLeft(room, leftError(err))
	case err != nil && !was.IsZero():
		c.giveResume(room, was) // the client will ask for the room itself
	}
	return err
}

// byServer stands for the number of a request if the application joins a room. Clients' numbers are smaller.
const byServer = protocol.MaxID + 1

// leftError is what the client is told if err has ended its stay in a room.
func leftError(err error) *Error {
	e := *toError(err)
	if e.Code == protocol.CodeUnavailable && e.RetryAfter == 0 {
		e.RetryAfter = retryAfter()
	}
	return &e
}

// Leave takes the connection out of a room. Leaving a room that it is not in does nothing. In a room with presence
// Leave blocks while the broker removes the member. The error matches ErrJoining while a Join of the room is under way.
// Any other error is the broker's: the connection has left all the same.
//
// If Leave is called outside callbacks, it also refuses a join that OnJoin or another callback of the connection has
// decided before. The client is told the code removed. In a callback, use Hub.RemoveFromRoom for that.
func (c *Conn) Leave(ctx context.Context, room string) error {
	if c.mayJoin(room) && !c.rooms.Joining(room) && !inCallback() {
		c.bar(room, takenOut)
	}
	was, err := c.leave(ctx, room)
	if was && !errors.Is(err, ErrJoining) {
		c.hasLeft(room)
	}
	return err
}

// takenOut answers joins that were decided before the application had the connection leave.
var takenOut = &Error{Code: protocol.CodeRemoved, Message: "the application has taken the connection out of the room"}

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
	(*Conn)(m).send(func(dst []byte, x codec.Codec) []byte {
		o := protocol.OK{
			ID: request, Room: room, Epoch: from.Epoch, Offset: from.Offset, Expires: g.validFor(), ReadOnly: g.readOnly(),
		}
		if request == byServer {
			return x.Joined(dst, o)
		}
		return x.OK(dst, o)
	})
}

// Rescue implements rooms.Member.
func (m *member) Rescue() {
	if v := recover(); v != nil { //nolint:revive // it is what is deferred
		(*Conn)(m).crashed(v)
	}
}

// replay reads on in the history of a room whose messages did not fit into the backlog. If that fails, it closes the
// connection.
func (c *Conn) replay(src *frame.Source) {
	room, err := c.hub.rooms.Replay((*member)(c), src)
	if err == nil {
		return
	}
	c.hub.log.Error("reading on from history failed: the connection is closed", "conn", c.ID(), "room", room, "err", err)
	if errors.Is(err, broker.ErrUnavailable) {
		c.closeWith(c.hub.unavailable(err))
	} else {
		c.closeWith(&CloseError{Code: protocol.CloseReconnect, Err: err})
	}
}
