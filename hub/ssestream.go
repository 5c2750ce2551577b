package hub

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/sock"
	"github.com/gohubkit/hubkit/protocol"
)

// stream begins an event stream whose head has been sent. With a body it returns when the client has left.
func (g *greeting) stream(q *sseQuery, body *streamBody) {
	c := (*Conn)(g)
	h := c.hub
	defer g.watch(body) // even if a callback ends this goroutine
	if !g.start() {
		return
	}
	r := h.readers.enter(c, nil)
	c.state.handle(midFrame)
	greeted := false
	defer func() {
		if !greeted { // a callback has ended this goroutine
			c.closeWith(h.closeFor(crash, protocol.CloseHandlerPanic))
		}
		r.handled()
		h.readers.leave(r)
	}()
	g.follow(q)
	greeted = true
}

// follow carries out the query, as greet does a hello.
func (g *greeting) follow(q *sseQuery) {
	c, v := (*Conn)(g), (*v1Client)(g)
	g.remember(q)
	g.welcome(0)
	if !g.connected() {
		return
	}
	refused := 0
	for _, room := range q.rooms {
		was := c.takeResume(room)
		refused += v.resume(room, g.startIn(room, was, q.newest), refused, "too many rooms at once")
	}
	for i := range q.places {
		if room := q.places[i].Room; c.takeResume(room).byServer {
			c.rooms.Unless(room, func() { c.tellLeft(room, notAgain) })
		}
	}
	if len(q.rooms) > 0 && len(c.rooms.Names()) == 0 {
		c.closeWith(&CloseError{Code: protocol.CloseForbidden, Reason: "none of the rooms could be joined"})
	}
}

// remember notes the session that the query names, and the client's positions. A position in a room that the query does
// not name is of a room that the application joined.
func (g *greeting) remember(q *sseQuery) {
	c := (*Conn)(g)
	if q.session == "" && len(q.places) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	m.session = strings.Clone(q.session) // without the rest of the URL
	for i := range q.places {
		if m.resume == nil {
			m.resume = make(map[string]resumed, len(q.places))
		}
		p := &q.places[i]
		m.resume[p.Room] = resumed{protocol.Position{Epoch: []byte(p.Epoch), Offset: p.Offset}, !q.names(p.Room)}
	}
}

// startIn is the client's position in a room. A room that has no history, or has none any more, has no positions.
func (g *greeting) startIn(room string, was resumed, newest int) (from rooms.Start) {
	if !g.hub.rule(room).Retention.Enabled() {
		return from
	}
	from = rooms.Start{Since: toBroker(was.Position), Last: newest}
	if !from.IsZero() {
		from.Read = (*v1Client)(g).replayed
	}
	return from
}

// watch makes sure that the client's leave is noticed.
func (g *greeting) watch(body *streamBody) {
	c := (*Conn)(g)
	switch {
	case body != nil:
		c.readStream()
	case c.watched == byReader:
		c.hub.life.RunFor((*endpoint)(c), c.readStream)
	default:
		if err := c.writer.Use(func(fd int) error { return c.hub.poller.Add(fd, c.entry.Token()) }); err != nil {
			c.abort(err)
		}
	}
}

// readStream waits for the end of a stream. If the poller watches the stream, it only looks whether the end has come.
func (c *Conn) readStream() {
	n, err := c.peek()
	switch {
	case n > 0:
		c.intruded()
	case errors.Is(err, syscall.EAGAIN):
		if err := c.writer.Use(func(fd int) error { return c.hub.poller.Arm(fd, c.entry.Token()) }); err != nil {
			c.abort(err)
		}
	case errors.Is(err, syscall.ETIMEDOUT):
		c.abortAndWait(&CloseError{Code: protocol.CloseHeartbeatTimeout, Reason: "heartbeat timeout", Err: err})
	default:
		(*ending)(c).failed(err)
	}
}

// peek reads what the client has sent after its request. There should be nothing.
func (c *Conn) peek() (n int, err error) {
	var buf [512]byte
	switch c.watched {
	case byReader:
		return c.writer.Conn().Read(buf[:])
	case byPollerSeal: // what the socket has may be less than a record
		if err = c.writer.Conn().SetReadDeadline(time.Now().Add(hot)); err == nil {
			n, err = c.writer.Conn().Read(buf[:])
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = syscall.EAGAIN
		}
		return n, err
	}
	gone := c.writer.Use(func(fd int) error {
		n, err = sock.Recv(fd, buf[:])
		return nil
	})
	switch {
	case gone != nil:
		return 0, gone
	case err != nil:
		return 0, os.NewSyscallError("recv", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// intruded is called if the client has sent something after its request.
func (c *Conn) intruded() {
	c.hub.stats.invalid.Add(1)
	c.closeWith(&CloseError{Code: protocol.CloseUnsupportedData, Reason: "data from the client of an event stream"})
}

// returnsFor closes a stream that was told of a temporary error. Only by reconnecting can its client join again.
func (c *Conn) returnsFor(e *Error) {
	if c.kind == events && e.Code.Retry() {
		c.closeWith(&CloseError{
			Code: protocol.CloseTryAgainLater, Reason: string(e.Code), RetryAfter: e.RetryAfter, Spread: unavailableSpread,
		})
	}
}

// endStream ends a stream whose last event has been sent, as soon as the socket has taken it.
func (e *ending) endStream(why *CloseError) {
	c := (*Conn)(e)
	if waits, _ := c.writer.Backlog(); waits == 0 {
		c.abort(why)
		return
	}
	c.hub.life.RunFor((*endpoint)(c), func() {
		e.drain()
		c.abort(why)
	})
}

// setUserTimeout makes the system notice a vanished client, which takes no data, heartbeats included. A stream's client
// does not answer heartbeats.
func setUserTimeout(conn net.Conn, p heartbeat.Policy) {
	if !p.Enabled() {
		return
	}
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	if tcp, ok := conn.(syscall.Conn); ok {
		_ = sock.UserTimeout(tcp, p.Timeout) // without it that takes longer
	}
}

// streamRoom returns ErrTooManyRooms if one more room would make a stream's IDs too long.
func (c *Conn) streamRoom(room string) error {
	size, n := codec.IDShare(room), 1
	for _, name := range c.rooms.Names() {
		if name == room {
			return nil
		}
		size += codec.IDShare(name)
		n++
	}
	if n > codec.MaxStreamRooms || size > codec.MaxID {
		return ErrTooManyRooms
	}
	return nil
}
