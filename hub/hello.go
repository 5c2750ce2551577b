package hub

import (
	"bytes"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
)

// firstFrame handles the hello.
func (v *v1Client) firstFrame(q *protocol.Request, err error) {
	c := (*Conn)(v)
	if err != nil || q.Op != protocol.OpHello {
		c.closeWith(&CloseError{Code: protocol.CloseHelloExpected, Reason: "the first frame must be hello", Err: err})
		return
	}
	c.state.clear(helloMark)
	greeted := false
	defer func() {
		if !greeted { // a callback has ended this goroutine
			c.closeWith(c.hub.closeFor(crash, protocol.CloseHandlerPanic))
		}
	}()
	v.greet(q)
	greeted = true
}

// greet does what the hello asks for.
func (v *v1Client) greet(q *protocol.Request) {
	c := (*Conn)(v)
	c.mu.Lock()
	m := c.more()
	inTime := m.cause == nil && (m.timer == nil || m.timer.Stop())
	m.timer = nil
	by := m.helloBy
	if protocol.ValidSession(q.Session) {
		m.session = string(q.Session)
	}
	for _, r := range q.Resume {
		if r.Position.IsZero() && !r.Joined {
			continue
		}
		if m.resume == nil {
			m.resume = make(map[string]resumed, len(q.Resume))
		}
		m.resume[string(r.Room)] = resumed{protocol.Position{Epoch: bytes.Clone(r.Position.Epoch), Offset: r.Position.Offset}, r.Joined}
	}
	c.trim()
	c.mu.Unlock()
	if !inTime || !(*greeting)(c).identify(by, string(q.Token)) {
		return
	}
	c.gather() // the welcome and the answers about the rooms
	(*greeting)(c).welcome(q.ID)
	if !(*greeting)(c).connected() {
		return
	}
	refused := 0
	for _, r := range q.Resume {
		// A room that OnConnect joined has resumed from its position already.
		room := string(r.Room)
		was := c.takeResume(room)
		if r.Joined {
			if was.byServer {
				c.rooms.Unless(room, func() { c.tellLeft(room, notAgain) })
			}
			continue
		}
		c.gather()
		refused += v.resume(room, rooms.Start{Since: toBroker(was.Position)}, refused, "too many rooms at once: join it later")
	}
}

// resume joins a room that the client names when it connects. If that exceeds the rate limit, it tells the client and
// returns 1: see resumeWithin.
func (v *v1Client) resume(room string, from rooms.Start, refused int, tooMany string) int {
	switch wait, ok := v.resumeWithin(room, refused); {
	case ok:
		v.joinFor(0, room, from)
	case wait > 0:
		(*Conn)(v).replyError(0, clip(room), &Error{Code: protocol.CodeRateLimited, Message: tooMany, RetryAfter: wait})
		return 1
	}
	return 0
}

// resumeWithin counts a room of the hello as a message, and reports whether to join it. If it exceeds the limit, wait
// is how long the client has to wait, longer for each refused room. A room that has been joined counts nothing. The
// client may not know the limit yet, so a refusal is neither counted nor held against it.
func (v *v1Client) resumeWithin(room string, refused int) (wait time.Duration, ok bool) {
	c := (*Conn)(v)
	l := c.hub.conf.messages
	switch {
	case c.rooms.Find(room) != nil:
		return 0, false
	case !l.Enabled():
		return 0, true
	}
	if wait, ok = c.messages.Try(c.hub.now(), 1, l); ok {
		return 0, true
	}
	return max(wait+l.Cost(refused), time.Millisecond), false
}

// notAgain is what the client is told of a room that the application had joined for it, and has not joined again.
var notAgain = &Error{Code: protocol.CodeRemoved, Message: "the application has not joined the room again"}

// resumed is how the client wants to resume a room.
type resumed struct {
	protocol.Position
	byServer bool // the application had joined it
}

// takeResume takes a room's position out of the hello; zero if the hello named none.
func (c *Conn) takeResume(room string) resumed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra == nil {
		return resumed{}
	}
	was := c.extra.resume[room]
	if delete(c.extra.resume, room); len(c.extra.resume) == 0 {
		c.extra.resume = nil // a map does not shrink
	}
	c.trim()
	return was
}

// giveResume is the reverse of takeResume.
func (c *Conn) giveResume(room string, was resumed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	if m.resume == nil {
		m.resume = make(map[string]resumed)
	}
	m.resume[room] = was
}

func toBroker(p protocol.Position) broker.Position {
	return broker.Position{Epoch: string(p.Epoch), Offset: p.Offset}
}
