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

// JoinUser puts every connection of a user into a room, on every node, as Conn.Join does. Connections that come later are not
// joined, and those that have not been welcomed yet are OnConnect's to join: give the user the right to be in the room first, and
// call JoinUser then. It overrules a RemoveFromRoom of before.
//
// It waits for the other nodes, until ctx ends, for 15 s at most. If the error matches ErrNoAnswer, or is the broker's, what other
// nodes have done is unknown; call it again then. The error also tells of connections that could not join. The anonymous, whose
// name is empty, are not joined.
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

// RemoveFromRoom takes a room away from a user: every connection of the user leaves it, on every node. A client of protocol v1
// is told with a left frame that has the code removed and reason as its message. It may ask to join again, and OnJoin then
// decides anew.
//
// Withdraw the right first, and call RemoveFromRoom then. Joins under way are included: one that OnJoin, OnConnect or another
// callback of the connection has decided before is refused. So are connections on their way in. From when it returns on, no
// connection of the user on this node is sent what is published in the room. In a room with presence it blocks while the broker
// is told.
//
// It waits for the other nodes, until ctx ends, for 15 s at most. If the error matches ErrNoAnswer, or is the broker's, the user
// may still be in the room on other nodes; call it again then.
func (h *Hub) RemoveFromRoom(ctx context.Context, user, room, reason string) error {
	if err := broker.CheckRoom(room); err != nil {
		return err
	}
	if h.life.Closed() {
		return ErrClosed
	}
	order := removeOrder{User: user, Room: room, Reason: reason}
	_, err := commands{h}.remove(order)(ctx)
	return errors.Join(err, orderOthers(ctx, h, askRemove, order))
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
}

// done is the answer to an order that has nothing to say.
type done struct{}

// orderOthers asks the other nodes, if there are any, to carry out an order.
func orderOthers(ctx context.Context, h *Hub, kind string, order any) error {
	if h.nodes.Alone() {
		return nil
	}
	answers, err := nodes.Ask[done](ctx, h.nodes, kind, order)
	return unanswered(answers, err)
}

// join notes that the user's connections are being joined, before a later order looks, and returns what joins them.
func (h commands) join(o joinOrder) func(context.Context) (done, error) {
	var conns []*Conn
	for _, c := range h.users.Conns(o.User) {
		if c.kind == raw || c.marks.has(greetedMark) {
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

// given is the end of what give began.
func (c *Conn) given() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extra.giving--
	c.trim()
}

// remove takes the room from the user's connections as far as that does not block, before a later order looks, and returns what
// does the rest.
func (h commands) remove(o removeOrder) func(context.Context) (done, error) {
	if o.User == "" {
		return func(context.Context) (done, error) { return done{}, nil }
	}
	why := &Error{Code: protocol.CodeRemoved, Message: o.Reason}
	h.revocations.Note(o.User, o.Room, why)
	var conns []*Conn
	var finish []func(context.Context, func()) error
	for _, c := range h.users.Conns(o.User) {
		if f := c.revoke(o.Room, why); f != nil {
			conns, finish = append(conns, c), append(finish, f)
		}
	}
	return func(ctx context.Context) (done, error) {
		return done{}, h.forEach(conns, func(i int) error {
			return finish[i](ctx, func() { conns[i].tellLeft(o.Room, why) })
		})
	}
}

// forEach calls f for all connections at once, as the broker may have to be asked about each, and returns when all are done.
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
