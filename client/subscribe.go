package client

import (
	"encoding/json"
	"errors"

	"github.com/gohubkit/hubkit/protocol"
)

// Subscribe joins a room, at once or with the next connection, and again after every reconnect. A room with history
// resumes at the last position. Subscribe does not block; Subscription.Ready waits for the server's answer. The
// goroutine that makes all callbacks calls f with each message, one at a time.
//
// A room has at most one subscription. The error matches ErrSubscribed for a second one, ErrInvalid or ErrClosed.
func (c *Client) Subscribe(room string, f func(Message), opts ...SubOption) (*Subscription, error) {
	if f == nil {
		return nil, invalid("Subscribe: nil function")
	}
	return c.subscribe(room, func(_ *Subscription, m Message) { f(m) }, opts)
}

// SubscribeJSON is Client.Subscribe for messages whose JSON decodes into a T. A message that does not decode goes to
// OnError as a [*DecodeError], and counts as seen.
func SubscribeJSON[T any](c *Client, room string, f func(TypedMessage[T]), opts ...SubOption) (*Subscription, error) {
	if f == nil {
		return nil, invalid("SubscribeJSON: nil function")
	}
	return c.subscribe(room, func(s *Subscription, m Message) {
		t := TypedMessage[T]{Message: m}
		if err := json.Unmarshal(m.Data, &t.Value); err != nil {
			s.undecodable(m, err)
			return
		}
		f(t)
	}, opts)
}

func (s *Subscription) undecodable(m Message, err error) {
	if s.onError == nil {
		s.c.config.log.Warn("hubkit client cannot decode a message",
			"room", m.Room, "offset", m.Position.Offset, "error", err)
		return
	}
	s.onError(&DecodeError{Message: m, Err: err})
}

func (c *Client) subscribe(room string, f func(*Subscription, Message), opts []SubOption) (*Subscription, error) {
	s := &Subscription{c: c, room: room, onMessage: f, ready: make(chan struct{})}
	faults := []error{checkRoom(room)}
	for i, o := range opts {
		if o == nil {
			faults = append(faults, invalid("option %d is nil", i))
			continue
		}
		faults = append(faults, o(s))
	}
	faults = append(faults, require(s.history <= 0 || s.next.IsZero(), "Newest and Since exclude each other"))
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.subs[room] != nil:
		return nil, ErrSubscribed
	}
	c.nextSub++
	s.seq = c.nextSub
	c.subs[room] = s
	if c.live != nil {
		c.join(s)
	}
	return s, nil
}

// join and leave send those frames over the live connection. Client.mu is held, as it is for what follows.

func (c *Client) join(s *Subscription) {
	r := &request{op: protocol.OpJoin, room: s.room, sub: s, pos: s.next, done: make(chan struct{})}
	if s.next.IsZero() {
		r.history = s.history
	}
	if most := c.live.limits.Message; most > 0 {
		if size := len(r.append(nil)); size > most {
			c.live.refuse(s, tooLargeFor(size, most))
			return
		}
	}
	s.crowded = false
	c.queue.push(r)
}

// crowd has s wait until another room is left.
func (c *Client) crowd(s *Subscription) { s.crowded = true }

// joinCrowded joins the oldest subscription that waits for another to leave.
func (c *Client) joinCrowded() {
	if c.live == nil {
		return
	}
	for _, s := range c.sorted() {
		if s.crowded {
			c.join(s)
			return
		}
	}
}

func (c *Client) leave(room string) *request {
	r := &request{op: protocol.OpLeave, room: room, done: make(chan struct{})}
	c.leaving[room]++
	c.queue.push(r)
	return r
}
