package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

var errTimeout = errors.New("client: handshake timed out")

// connect makes a connection that the server has welcomed.
func (c *Client) connect(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.handshakeTimeout, errTimeout)
	defer cancel()
	token, err := c.fetchToken(ctx)
	if err != nil {
		return nil, err
	}
	ws, w, err := c.dial(ctx, token)
	if err != nil {
		return nil, err
	}
	release := guard(ctx, func() { _ = ws.Close() })
	l := newConnection(c, ws, w.deflate)
	err = l.greet(token)
	if !release() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		_ = ws.Close()
		return nil, err
	}
	return l, nil
}

// guard has f called when ctx is done, until release, which reports whether f was not called. When
// release has returned, f is not running.
func guard(ctx context.Context, f func()) (release func() bool) {
	called := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(called)
		f()
	})
	return func() bool {
		if stop() {
			return true
		}
		<-called
		return false
	}
}

func (c *Client) fetchToken(ctx context.Context) (string, error) {
	if c.config.token == nil {
		return "", nil
	}
	token, err := c.config.token(ctx)
	if err != nil {
		return "", fmt.Errorf("client: token: %w", err)
	}
	return token, nil
}

// greet sends hello and waits for the welcome.
func (l *connection) greet(token string) error {
	hello := protocol.Request{Op: protocol.OpHello, Token: []byte(token), Session: []byte(l.c.session)}
	most := helloLimits(l.c.limits)
	if l.c.bare {
		most.Rooms = 0
	}
	hello.Resume = l.c.resumes(l, most, &hello)
	frame := protocol.AppendRequest(nil, &hello)
	if err := l.writeFrame(frame); err != nil {
		return err
	}
	begin := time.Now()
	var refused error
	for {
		answer, err := l.readFrame()
		switch {
		case errors.Is(err, errTooBig):
			// What of a welcome is so large is the application's data.
			if !l.decodeHead(answer) || l.event.Op != protocol.OpWelcome {
				return err
			}
			l.tooBig = l.tooLarge("the application's data in the welcome")
		case err != nil:
			l.shrink(err, hello.Resume)
			return refusal(refused, err)
		default:
			if err := l.decode(answer); err != nil {
				return l.broken(answer, err)
			}
		}
		switch l.event.Op {
		case protocol.OpWelcome:
			l.welcome(&l.event)
			l.pace = newPace(l.c.config, l.limits, begin)
			l.pace.hello(len(hello.Resume), len(frame))
			return nil
		case protocol.OpError:
			refused = l.event.Err() // the close frame that follows says more
		case protocol.OpUnknown:
		default:
			return fmt.Errorf("%w: %v before welcome", ErrProtocol, l.event.Op)
		}
	}
}

// shrink has the next hello name no rooms, if one that did was too large: this server's limit is another than that of the
// one before.
func (l *connection) shrink(why error, rooms []protocol.Resume) {
	if e, ok := errors.AsType[*CloseError](why); ok && e.Code == protocol.CloseTooBig && len(rooms) > 0 {
		l.c.bare, l.c.smaller = true, true
	}
}

// refusal makes an error of the answer to hello, if there was one, and of how the connection ended.
func refusal(refused, err error) error {
	if _, ok := errors.AsType[*CloseError](err); ok || refused == nil {
		return err
	}
	switch {
	case errors.Is(refused, protocol.CodeUnauthorized):
		return &CloseError{Code: protocol.CloseUnauthorized, Reason: refused.Error()}
	case errors.Is(refused, protocol.CodeForbidden):
		return &CloseError{Code: protocol.CloseForbidden, Reason: refused.Error()}
	}
	return fmt.Errorf("client: hello: %w", refused)
}

func (l *connection) welcome(ev *protocol.Event) {
	c := l.c
	c.session = string(ev.Session)
	c.ticket = ticketOf(ev.Ticket)
	c.limits, l.limits, c.bare = ev.Limits, ev.Limits, false
	l.expires("", ev.Expires)
	l.state = State{Status: Connected, Conn: string(ev.Conn), Node: string(ev.Node), Data: clone(ev.Data)}
	interval := c.config.interval
	if ev.Ping > 0 && !c.config.heartbeatSet {
		interval = ev.Ping
	}
	l.pulse = newPulse(interval, c.config.timeout)
}

// ticketOf returns a ticket that can stand in a URL as it is, which those of hubs can, and empty for any other.
func ticketOf(ticket []byte) string {
	if len(ticket) > protocol.MaxTicket {
		return ""
	}
	s := string(ticket)
	if url.QueryEscape(s) != s {
		return ""
	}
	return s
}

// resumes lists the rooms to be resumed by the hello, as far as the limits allow. Those who want history must join for it.
func (c *Client) resumes(l *connection, most protocol.Limits, hello *protocol.Request) (rooms []protocol.Resume) {
	size := len(protocol.AppendRequest(nil, hello)) + len(`,"resume":[]`)
	var scratch []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.given, func(room string, _ *Subscription) bool { return c.subs[room] != nil })
	for _, s := range append(c.sorted(), bySeq(c.given)...) {
		s.joined, s.asked, s.crowded, s.again = false, nil, false, false
		if s.history > 0 && s.next.IsZero() || len(rooms) >= most.Rooms {
			continue
		}
		room := protocol.Resume{
			Room:     []byte(s.room),
			Position: protocol.Position{Epoch: []byte(s.next.Epoch), Offset: s.next.Offset},
			Joined:   s.given,
		}
		scratch = protocol.AppendRequest(scratch[:0], &protocol.Request{Op: protocol.OpHello, Resume: []protocol.Resume{room}})
		if size += len(scratch) - len(`{"op":"hello","resume":[]}`) + len(","); size > most.Message {
			most.Rooms = 0
			continue
		}
		rooms = append(rooms, room)
		s.asked = l
		l.greeted = append(l.greeted, s)
	}
	return rooms
}

// adopt makes l the live connection, and joins and leaves what the hello could not know of.
func (c *Client) adopt(l *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = l
	clear(c.leaving)
	for _, s := range l.greeted {
		if !c.has(s) {
			c.leave(s.room)
		}
	}
	c.queue.limit(l.limits.Message)
	in := len(l.greeted)
	for _, s := range c.sorted() {
		switch {
		case s.asked == l:
		case l.limits.Rooms > 0 && in >= l.limits.Rooms:
			c.crowd(s)
			l.refuse(s, &protocol.Error{Code: protocol.CodeTooManyRooms, Message: "the server allows fewer rooms"})
		default:
			c.join(s)
			in++
		}
	}
	l.greeted = nil
}

// abandon is adopt's counterpart.
func (c *Client) abandon(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = nil
	c.grants.clear()
	if e, ok := errors.AsType[*CloseError](why); ok && e.Code == protocol.CloseTooBig {
		c.smaller = c.queue.dropLargest(why)
	}
	c.queue.cut(why)
}
