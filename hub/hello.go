package hub

import (
	"bytes"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
)

// firstFrame takes the hello.
func (v *v1Client) firstFrame(q *protocol.Request, err error) {
	c := (*Conn)(v)
	if err != nil || q.Op != protocol.OpHello {
		c.closeWith(&CloseError{Code: protocol.CloseHelloExpected, Reason: "the first frame must be hello", Err: err})
		return
	}
	c.hello = false
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
	(*greeting)(c).welcome(q.ID)
	if !(*greeting)(c).connected() {
		return
	}
	refused := 0
	for _, r := range q.Resume {
		// What OnConnect joined has gone on from its position already.
		room := string(r.Room)
		was := c.takeResume(room)
		if r.Joined {
			if was.byServer {
				c.rooms.Unless(room, func() { c.tellLeft(room, notAgain) })
			}
			continue
		}
		switch wait, ok := v.resumeWithin(room, refused); {
		case ok:
			v.joinFor(0, room, rooms.Start{Since: toBroker(was.Position)})
		case wait > 0:
			refused++
			c.replyError(0, clip(room), &Error{
				Code: protocol.CodeRateLimited, Message: "too many rooms at once: join it later", RetryAfter: wait,
			})
		}
	}
}

// resumeWithin counts a room of the hello as a message, and reports whether it is to be joined. If it is beyond the limit,
// it says how long to wait, each room of those refused longer than the one before. A room that has been joined counts
// nothing. The client has broken no rule, which it may not know yet, so this is neither counted nor held against it.
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

// notAgain is told of a room that the application had put the client into, and has not put it into again.
var notAgain = &Error{Code: protocol.CodeRemoved, Message: "the application has not joined the room again"}

// resumed is how the client wants to go on with a room.
type resumed struct {
	protocol.Position
	byServer bool // the application had joined it
}

// takeResume takes out of the hello how the client wants to go on with a room; zero if it named none.
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
