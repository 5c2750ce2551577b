package client

import (
	"context"

	"github.com/gohubkit/hubkit/protocol"
)

// event is something a callback is to be told.
type event struct {
	sub  *Subscription // of a message of a subscribed room
	msg  Message
	call func() // everything rare
	last bool
}

// dispatch makes the callbacks, until the last event or until ctx is done.
func (c *Client) dispatch(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case e := <-c.inbox:
			switch {
			case e.last:
				return
			case e.call != nil:
				e.call()
			case e.sub != nil:
				e.sub.deliver(e.msg)
			default:
				c.deliver(e.msg)
			}
		}
	}
}

// deliver hands over a message without a subscription.
func (c *Client) deliver(m Message) {
	f := c.config.onRoomMessage
	if m.Room == "" {
		f = c.config.onMessage
	}
	if f != nil {
		f(m)
	}
}

// post puts an event in the inbox, and waits where it is full. Without a place before ctx is done, it is
// dropped.
func (c *Client) post(ctx context.Context, e event) {
	select {
	case c.inbox <- e:
	case <-ctx.Done():
	}
}

func (c *Client) state(ctx context.Context, s State) {
	c.counters.became(s.Status)
	if f := c.config.onState; f != nil {
		c.post(ctx, event{call: func() { f(s) }})
	}
}

// post is the reader's. It reports whether the event found a place before the connection ended; as long
// as it waits, nothing is read.
func (l *connection) post(e event) bool {
	select {
	case <-l.stop:
		return false
	case l.c.inbox <- e:
		return true
	default:
	}
	l.pulse.stall()
	defer l.pulse.resume()
	select {
	case <-l.stop:
		return false
	case l.c.inbox <- e:
		return true
	}
}

func (l *connection) postState(s Status) bool {
	l.c.counters.became(s)
	f := l.c.config.onState
	return f == nil || l.post(event{call: func() { f(State{Status: s}) }})
}

func (l *connection) postError(sub *Subscription, code protocol.ErrorCode, err error) bool {
	l.c.config.log.Warn("hubkit client was refused a room", "room", sub.room, "code", string(code), "error", err)
	return sub.onError == nil || l.post(event{call: func() { sub.fail(err) }})
}
