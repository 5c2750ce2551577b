package hub

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
)

// While a callback runs, nobody reads from its connection, and so nobody sees its client leave. The lookout looks at the
// sockets of those that take long. Fast ones cost nothing for it but the note of which goroutines read.

// lookEvery is how often the lookout looks, and slowAfter how long a callback may take without a look.
const (
	lookEvery = 500 * time.Millisecond
	slowAfter = 100 * time.Millisecond
)

// What the reader is at, in Conn.handling.
const (
	atRest    uint32 = iota
	atFrame          // at a message, and a frame begins where the socket's next byte is
	midFrame         // at a message, and part of what follows it has been read
	atClosing        // at a message, and a close frame that follows it has been read
)

// ahead is what a reader is at when it handles what d has decoded.
func ahead(d *decoder.Decoder) uint32 {
	switch {
	case d.Buffered() == 0:
		return atFrame
	case d.Closing():
		return atClosing
	default:
		return midFrame
	}
}

// reading is what a goroutine that reads holds, and by which its connection is found.
type reading struct{ conn atomic.Pointer[Conn] }

// readers knows the goroutines that read. Those that end give their reading back for another, so that a list is written to
// only when there are more than ever before; what the garbage collector has taken is struck from it.
type readers struct {
	idle sync.Pool // of *reading
	mu   sync.Mutex
	all  []weak.Pointer[reading]
}

func (r *readers) enter(c *Conn) *reading {
	at, ok := r.idle.Get().(*reading)
	if !ok {
		at = new(reading)
		r.mu.Lock()
		r.all = append(r.all, weak.Make(at))
		r.mu.Unlock()
	}
	at.conn.Store(c)
	return at
}

func (r *readers) leave(at *reading) {
	at.conn.Store(nil)
	r.idle.Put(at)
}

// each calls f for every connection that is read from.
func (r *readers) each(f func(*Conn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.all[:0]
	for _, p := range r.all {
		at := p.Value()
		if at == nil {
			continue
		}
		kept = append(kept, p)
		if c := at.conn.Load(); c != nil {
			f(c)
		}
	}
	r.all = kept
	if cap(kept) > 4*len(kept)+64 {
		r.all = append([]weak.Pointer[reading](nil), kept...)
	}
}

// during calls f, which is at the connection before anything is read from it.
func (c *Conn) during(d *decoder.Decoder, f func()) {
	at := c.hub.readers.enter(c)
	c.handling.Store(ahead(d))
	defer func() {
		c.hub.readers.leave(at)
		c.handled()
	}()
	f()
}

// lookout looks for clients that have left.
type lookout struct {
	hub  *Hub
	buf  []byte
	slow []*Conn
}

func (h *Hub) newLookout() *lookout { return &lookout{hub: h, buf: make([]byte, 4<<10)} }

func (l *lookout) look() {
	now := uint32(l.hub.now() / time.Millisecond)
	l.hub.readers.each(func(c *Conn) {
		if c.handling.Load() != atRest && int32(now-c.lastMessage.Load()) >= int32(slowAfter/time.Millisecond) {
			l.slow = append(l.slow, c)
		}
	})
	for _, c := range l.slow {
		l.lookAt(c)
	}
	clear(l.slow)
	l.slow = l.slow[:0]
}

func (l *lookout) lookAt(c *Conn) {
	begun, at := c.lastMessage.Load(), c.handling.Load()
	if at == atRest || c.state.has(left) {
		return
	}
	left := at == atClosing
	if !left {
		peek := l.buf
		if at != atFrame {
			peek = nil
		}
		left = netpoll.Left(c.conn, peek)
	}
	// What was seen counts if the reader has been at the same message all the while: else it was no frame's beginning.
	if left && c.handling.Load() == at && c.lastMessage.Load() == begun {
		c.clientLeft()
	}
}
