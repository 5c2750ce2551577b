package client

import "github.com/gohubkit/hubkit/protocol"

// put handles joined, and an ok without id: the answer to a room of the hello, or what servers of before send for joined.
func (l *connection) put(ev *protocol.Event) bool {
	name := string(ev.Room)
	c := l.c
	c.mu.Lock()
	s, g, leaving := c.subs[name], c.given[name], c.leaving[name] > 0
	switch {
	case s != nil && (s.joined || s.asked == l):
		c.mu.Unlock()
		l.entered(s, ev)
		return true
	case leaving || ev.Op == protocol.OpOK && s != nil || checkRoom(name) != nil || !c.config.tracks():
		c.mu.Unlock()
		return true
	}
	fresh := g == nil
	if fresh {
		c.nextSub++
		g = &Subscription{c: c, room: name, seq: c.nextSub, given: true, ready: make(chan struct{})}
		for _, o := range c.config.roomOptions {
			_ = o(g) // checked by New
		}
		g.onMessage = func(_ *Subscription, m Message) { c.deliver(m) }
		c.given[name] = g
	}
	c.mu.Unlock()
	return l.placed(g, ev, fresh)
}

// placed notes that the server has put the client into a room, from which position on.
func (l *connection) placed(g *Subscription, ev *protocol.Event, fresh bool) bool {
	pos := position(ev.Position, g.next.Epoch)
	if fresh {
		if f := l.c.config.onServerJoin; f != nil && !l.post(event{call: func() { f(g) }}) {
			return false
		}
	}
	from := g.next
	l.entered(g, ev)
	if from.IsZero() || pos.IsZero() || pos.Epoch == from.Epoch && pos.Offset <= from.Offset {
		return true
	}
	if pos.Offset == 0 && from.Offset == 0 {
		g.next = pos
		return true
	}
	return l.missed(g, pos) // the server does not begin where the client was
}

// current reports whether s has not ended.
func (c *Client) current(s *Subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.has(s)
}

// own is current for a subscription that the server has let in. From now on the room is the client's own, even if the server
// had put the client there.
func (c *Client) own(s *Subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.has(s) {
		return false
	}
	delete(c.given, s.room)
	return true
}

// has reports whether s has not ended, and forget ends it. mu is held.
func (c *Client) has(s *Subscription) bool { return c.roomsOf(s)[s.room] == s }

func (c *Client) forget(s *Subscription) { delete(c.roomsOf(s), s.room) }

func (c *Client) roomsOf(s *Subscription) map[string]*Subscription {
	if s.given {
		return c.given
	}
	return c.subs
}
