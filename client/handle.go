package client

import (
	"bytes"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// handle acts on one frame. It reports false when the connection ends.
func (l *connection) handle(ev *protocol.Event) bool {
	switch ev.Op {
	case protocol.OpMessage:
		return l.message(ev)
	case protocol.OpSkip:
		return l.skip(ev)
	case protocol.OpOK:
		return l.ok(ev)
	case protocol.OpError:
		return l.refusal(ev)
	case protocol.OpGap:
		return l.gap(ev)
	case protocol.OpJoin, protocol.OpLeave:
		return l.presence(ev)
	case protocol.OpPresence:
		return l.membersChanged(ev)
	case protocol.OpStale:
		return l.postState(Stale)
	case protocol.OpLive:
		return l.postState(Live)
	case protocol.OpGoAway:
		l.goAway(ev.Hint())
	case protocol.OpJoined:
		return l.put(ev)
	case protocol.OpLeft:
		return l.left(ev)
	case protocol.OpRefresh:
		l.refresh(ev)
	}
	return true
}

// room returns the subscription whose stream a room is, and whether messages of it without one may be delivered: not
// those that are still under way after a leave. A room that the server has put the client into stays its own
// stream until the client's own join is answered.
func (l *connection) room(name []byte) (s *Subscription, stray bool) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	s = c.subs[string(name)]
	if s == nil || !s.joined {
		if g := c.given[string(name)]; g != nil {
			s = g
		}
	}
	return s, s == nil && c.leaving[string(name)] == 0
}

// asked returns the room of this connection's hello that an answer without id is about, and nil if there is none.
func (l *connection) asked(name []byte) *Subscription {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range []*Subscription{c.subs[string(name)], c.given[string(name)]} {
		if s != nil && s.asked == l {
			return s
		}
	}
	return nil
}

func (l *connection) message(ev *protocol.Event) bool {
	if len(ev.Room) == 0 {
		return l.c.config.onMessage == nil || l.post(event{msg: Message{Data: clone(ev.Data), Binary: ev.Binary, Meta: l.meta(ev)}})
	}
	s, stray := l.room(ev.Room)
	if s == nil {
		if !stray || l.c.config.onRoomMessage == nil {
			return true
		}
		return l.post(event{msg: Message{
			Room:     string(ev.Room),
			Data:     clone(ev.Data),
			Binary:   ev.Binary,
			Position: position(ev.Position, ""),
			Meta:     l.meta(ev),
		}})
	}
	if !s.joined {
		return true // under way since before the join
	}
	pos := position(ev.Position, s.next.Epoch)
	if known, goOn := l.follow(s, pos); known || !goOn {
		return goOn
	}
	if !l.post(event{sub: s, msg: Message{Room: s.room, Data: clone(ev.Data), Binary: ev.Binary, Position: pos, Meta: l.meta(ev)}}) {
		return false
	}
	l.progress = true
	if !pos.IsZero() {
		s.next = pos
	}
	return true
}

// follow looks at what is before the message of a position: it reports whether the message is known, and false when the
// connection ends.
func (l *connection) follow(s *Subscription, pos Position) (known, goOn bool) {
	if pos.IsZero() || s.next.IsZero() {
		return false, true
	}
	// The first message of a room may bring another epoch: none had been published.
	same := pos.Epoch == s.next.Epoch || s.next.Offset == 0 && pos.Offset == 1
	if same && pos.Offset <= s.next.Offset {
		return true, true // a duplicate
	}
	if !same || pos.Offset != s.next.Offset+1 {
		// The server should have said so.
		return false, l.missed(s, Position{pos.Epoch, max(pos.Offset, 1) - 1})
	}
	return false, true
}

// skip goes on behind a message that is not for the client.
func (l *connection) skip(ev *protocol.Event) bool {
	s, _ := l.room(ev.Room)
	if s == nil || !s.joined {
		return true
	}
	pos := position(ev.Position, s.next.Epoch)
	if pos.IsZero() {
		return true
	}
	if known, goOn := l.follow(s, pos); known || !goOn {
		return goOn
	}
	if !l.post(event{call: func() { s.pass(pos) }}) {
		return false
	}
	s.next, l.progress = pos, true
	return true
}

// meta is what a message carries. What cannot be read of it is no reason to lose the message.
func (l *connection) meta(ev *protocol.Event) *Meta {
	m, err := ev.Meta()
	if err != nil {
		l.c.config.log.Warn("hubkit client got a message with a broken publisher", "room", string(ev.Room), "error", err)
	}
	return m
}

// position copies p; its epoch is, as a rule, the one already known.
func position(p protocol.Position, epoch string) Position {
	if p.IsZero() {
		return Position{}
	}
	if string(p.Epoch) != epoch {
		epoch = string(p.Epoch)
	}
	return Position{Epoch: epoch, Offset: p.Offset}
}

// clone keeps nil, which means absent.
func clone(data []byte) []byte { return bytes.Clone(data) }

func (l *connection) gap(ev *protocol.Event) bool {
	s, _ := l.room(ev.Room)
	return s == nil || !s.joined || l.missed(s, position(ev.Position, s.next.Epoch))
}

// missed reports that the stream of s goes on after to.
func (l *connection) missed(s *Subscription, to Position) bool {
	g := Gap{Room: s.room, From: s.next, To: to}
	if s.onGap == nil {
		l.c.config.log.Warn("hubkit client missed messages", "room", g.Room,
			"from", g.From.Offset, "to", g.To.Offset, "same_epoch", g.From.Epoch == g.To.Epoch)
	}
	if !l.post(event{call: func() { s.skip(g) }}) {
		return false
	}
	s.next, l.progress = to, true
	return true
}

func (l *connection) presence(ev *protocol.Event) bool {
	s, _ := l.room(ev.Room)
	if s == nil || s.onPresence == nil || !s.joined {
		return true
	}
	m, err := protocol.ParseMember(ev.Data)
	if err != nil {
		l.c.config.log.Warn("hubkit client got a broken presence event", "room", s.room, "error", err)
		return true
	}
	joined := ev.Op == protocol.OpJoin
	return l.post(event{call: func() { s.present(joined, m) }})
}

func (l *connection) membersChanged(ev *protocol.Event) bool {
	s, _ := l.room(ev.Room)
	if s == nil || !s.joined || s.onChanged == nil && s.onPresence == nil {
		return true
	}
	count, spread := -1, ev.Spread
	if ev.Data != nil {
		p, err := protocol.ParsePresence(ev.Data)
		if err != nil {
			l.c.config.log.Warn("hubkit client got a broken presence event", "room", s.room, "error", err)
			return true
		}
		count = p.Count
	}
	if s.onChanged == nil {
		l.c.config.log.Warn("hubkit client was not told of each member that came and went", "room", s.room, "count", count)
		return true
	}
	return l.post(event{call: func() { s.changed(count, spread) }})
}

// ok handles the answer to a request, or to a room of the hello.
func (l *connection) ok(ev *protocol.Event) bool {
	if ev.ID == 0 {
		return l.put(ev)
	}
	l.pace.answered(ev.ID, time.Now())
	r := l.c.queue.answer(ev.ID)
	if r == nil {
		return true
	}
	switch r.op {
	case protocol.OpJoin:
		if l.c.own(r.sub) {
			l.entered(r.sub, ev)
		}
	case protocol.OpLeave:
		l.ungrant(r.room)
		l.c.left(r.room)
	case protocol.OpToken:
		l.renewed(r.room, ev.Expires, nil)
	default:
		l.progress = true
		r.pos = position(ev.Position, "")
		r.reply = clone(ev.Data)
	}
	r.finish(nil)
	return true
}

// entered notes that the server has let the client into a room of its own.
func (l *connection) entered(s *Subscription, ev *protocol.Event) {
	l.grant(s, ev)
	if s.entered(position(ev.Position, s.next.Epoch)) {
		l.progress = true
	}
}

// refusal handles an error frame.
func (l *connection) refusal(ev *protocol.Event) bool {
	l.pace.answered(ev.ID, time.Now())
	err := ev.Err()
	if e, _ := errors.AsType[*protocol.Error](err); e.Code == protocol.CodeRateLimited && (ev.ID == 0 || len(ev.Room) == 0) {
		// It is about the connection's rate; one that names the room of a request is the application's.
		l.pace.refused()
		if l.c.queue.postpone(ev.ID, e.RetryAfter) {
			return true
		}
	}
	if ev.ID == 0 {
		if s := l.asked(ev.Room); s != nil && !s.joined {
			return l.refused(s, err)
		}
		l.c.config.log.Warn("hubkit client got an error", "room", string(ev.Room), "error", err)
		return true
	}
	r := l.c.queue.answer(ev.ID)
	if r == nil {
		return true
	}
	switch r.op {
	case protocol.OpJoin:
		r.finish(err)
		return !l.c.current(r.sub) || l.refused(r.sub, err)
	case protocol.OpToken:
		l.renewed(r.room, 0, err)
	case protocol.OpLeave:
		l.ungrant(r.room)
		l.c.left(r.room)
		err = nil // either way the client is not in the room
	}
	r.finish(err)
	return true
}

// refused tells a subscription that the server does not let it in. What is refused for now is tried
// again on this connection, what is too much when another room is left, and the rest on the next connection.
func (l *connection) refused(s *Subscription, err error) bool {
	e, _ := errors.AsType[*protocol.Error](err)
	if s.given {
		return e.Code.Retry() || l.expelled(s, e) // the server puts the client there, not the client
	}
	switch {
	case e.Code.Retry():
		l.retryJoin(s, e.RetryAfter)
	case e.Code == protocol.CodeTooManyRooms:
		l.c.mu.Lock()
		l.c.crowd(s)
		l.c.mu.Unlock()
	}
	if e.Code == protocol.CodeRateLimited && !s.again {
		s.again = true // joins that come fast are nothing to trouble the application with
		return true
	}
	err = &RoomError{Room: s.room, Err: err}
	s.resolve(err)
	return l.postError(s, e.Code, err)
}

// refuse is refused for a room that the server need not be asked about. It is called by any goroutine.
func (l *connection) refuse(s *Subscription, why error) {
	err := &RoomError{Room: s.room, Err: why}
	s.resolve(err)
	l.c.config.log.Warn("hubkit client cannot join a room", "room", s.room, "error", err)
	if s.onError == nil {
		return
	}
	l.mu.Lock()
	l.untold = append(l.untold, event{call: func() { s.fail(err) }})
	l.mu.Unlock()
	signal(l.kick)
}

// joinAgain sends the joins of subscriptions that are still there.
func (c *Client) joinAgain(l *connection, subs []*Subscription) {
	if len(subs) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != l {
		return
	}
	for _, s := range subs {
		if c.subs[s.room] == s {
			c.join(s)
		}
	}
}

// left notes that a leave was answered.
func (c *Client) left(room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving[room]--; c.leaving[room] <= 0 {
		delete(c.leaving, room)
	}
	c.joinCrowded()
}
