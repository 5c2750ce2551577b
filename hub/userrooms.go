package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
)

// JoinUser puts every connection of a user into a room, on every node, as Conn.Join does. It does not join later
// connections, nor those that have not been welcomed yet, which OnConnect may join. So first give the user the right to
// be in the room, and then call JoinUser. It overrides an earlier RemoveFromRoom. The empty name, which anonymous
// connections have, selects no connection.
//
// JoinUser blocks until the other nodes have answered or ctx ends, at most 15 s. If the error matches ErrNoAnswer, or
// is the broker's, what other nodes have done is unknown: call it again then. The error also names connections that
// could not join. It matches ErrOption, ErrClosed or broker.ErrRoomName if nothing was done.
func (h *Hub) JoinUser(ctx context.Context, user, room string, opts ...JoinOption) error {
	o, err := apply[joinOptions](opts)
	if err != nil {
		return err
	}
	if err := broker.CheckRoom(room); err != nil {
		return err
	}
	if h.life.Closed() {
		return ErrClosed
	}
	order := joinOrder{User: user, Room: room, Epoch: o.start.Since.Epoch, Offset: o.start.Since.Offset, Last: o.start.Last}
	_, err = commands{h}.join(order)(ctx)
	return errors.Join(err, orderOthers(ctx, h, askJoin, order))
}

// RemoveFromRoom takes the connections that whose selects out of a room, on every node. A client of protocol v1 gets a
// left frame with the code removed and reason as its message. It may ask to join again, and OnJoin then decides anew.
// ByRoom with the same room empties it.
//
// First withdraw the right, and then call RemoveFromRoom. It also covers joins under way that OnJoin, OnConnect or
// another callback of the connection has decided before: they are refused. ByRoom does not cover them. ByUser also
// covers connections whose handshake is under way. Once RemoveFromRoom has returned, the selected connections on this
// node get no message of the room. In a room with presence it blocks while the broker is told.
//
// It blocks until the other nodes have answered or ctx ends, at most 15 s. If the error matches ErrNoAnswer, or is the
// broker's, connections on other nodes may still be in the room: call it again then. It matches ErrClosed or
// broker.ErrRoomName if nothing was done.
func (h *Hub) RemoveFromRoom(ctx context.Context, whose Target, room, reason string) error {
	if err := broker.CheckRoom(room); err != nil {
		return err
	}
	if h.life.Closed() {
		return ErrClosed
	}
	order := removeOrder{
		User: whose.user, Room: room, Reason: reason, Session: whose.session, Conn: whose.conn, MembersOf: whose.room,
	}
	_, err := commands{h}.remove(order)(ctx)
	kind := askRemove
	switch {
	case whose == Target{}, whose.conn != "" && h.connNum(whose.conn) != 0:
		return err
	case whose.user == "":
		kind = askRemoveTarget
	}
	return errors.Join(err, orderOthers(ctx, h, kind, order))
}

// joinOrder and removeOrder are what other nodes are asked.
type joinOrder struct {
	User   string `json:"user"`
	Room   string `json:"room"`
	Epoch  string `json:"epoch,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	Last   int    `json:"last,omitempty"`
}

type removeOrder struct {
	User   string `json:"user"`
	Room   string `json:"room"`
	Reason string `json:"reason,omitempty"`
	// One of these instead of User is set in askRemoveTarget.
	Session   string `json:"session,omitempty"`
	Conn      string `json:"conn,omitempty"`
	MembersOf string `json:"members_of,omitempty"`
}

// done is the answer to an order without a result.
type done struct{}

// orderOthers asks the other nodes, if there are any, to carry out an order.
func orderOthers(ctx context.Context, h *Hub, kind string, order any) error {
	if h.nodes.Alone() {
		return nil
	}
	answers, err := nodes.Ask[done](ctx, h.nodes, kind, order)
	return unanswered(answers, err)
}

// join notes that the user's connections are being joined, before a later order looks. It returns the function that
// joins them.
func (h commands) join(o joinOrder) func(context.Context) (done, error) {
	var conns []*Conn
	for _, c := range h.users.Conns(o.User) {
		if c.kind == raw || c.state.has(greetedMark) {
			c.give(o.Room)
			conns = append(conns, c)
		}
	}
	return func(ctx context.Context) (done, error) {
		from := rooms.Start{Since: broker.Position{Epoch: o.Epoch, Offset: o.Offset}, Last: o.Last}
		return done{}, h.forEach(conns, func(i int) error {
			defer conns[i].given()
			return conns[i].joinGiven(ctx, o.Room, from)
		})
	}
}

// joinRetry is how long JoinUser waits for another join of the room, or for its end.
const joinRetry = 5 * time.Millisecond

// joinGiven joins a room for JoinUser.
func (c *Conn) joinGiven(ctx context.Context, room string, from rooms.Start) error {
	for {
		err := c.serverJoin(ctx, room, from)
		switch {
		case errors.Is(err, ErrClosed), errors.Is(err, ErrRemoved):
			return nil
		case !errors.Is(err, ErrJoining):
			if err != nil {
				err = fmt.Errorf("hub: connection %s: %w", c.ID(), err)
			}
			return err
		}
		select {
		case <-time.After(joinRetry):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// give begins a JoinUser, which is a new decision.
func (c *Conn) give(room string) {
	c.forget(func(b barred) bool { return b.room == room })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more().giving++
}

// given ends what give began.
func (c *Conn) given() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extra.giving--
	c.trim()
}

// remove does as much of a removal as does not block, before a later order looks. It returns the function that does the
// rest.
func (h commands) remove(o removeOrder) func(context.Context) (done, error) {
	why := &Error{Code: protocol.CodeRemoved, Message: o.Reason}
	if o.User != "" {
		h.revocations.Note(o.User, o.Room, why)
	}
	var conns []*Conn
	var finish []func(context.Context, func()) error
	for c := range h.meant(Target{o.User, o.Session, o.Conn, o.MembersOf}) {
		if f := c.revoke(o.Room, why); f != nil {
			conns, finish = append(conns, c), append(finish, f)
		}
	}
	return func(ctx context.Context) (done, error) {
		return done{}, h.forEach(conns, func(i int) error {
			defer conns[i].hasLeft(o.Room)
			return finish[i](ctx, func() { conns[i].tellLeft(o.Room, why) })
		})
	}
}

// forEach calls f for all connections concurrently, as each may have to wait for the broker. It returns when all are
// done.
func (h *Hub) forEach(conns []*Conn, f func(i int) error) error {
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	wg.Add(len(conns))
	for i, c := range conns {
		h.life.RunFor((*endpoint)(c), func() {
			defer wg.Done()
			errs[i] = f(i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
