package hub

import (
	"sync"
	"time"
	"weak"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
)

// While a callback runs, no goroutine reads from its connection, and so none sees its client leave. The lookout looks at the
// sockets of connections with slow callbacks. Fast callbacks pay only for the list of the goroutines that read.

// lookEvery is how often the lookout looks, and slowAfter how long a callback may take without a look.
const (
	lookEvery = 500 * time.Millisecond
	slowAfter = 100 * time.Millisecond
)

// What the reader is at, in Conn.state.
const (
	atRest    uint32 = iota
	atFrame          // at a message, and a frame begins where the socket's next byte is
	midFrame         // at a message, and part of what follows it has been read
	atClosing        // at a message, and a close frame that follows it has been read
)

// ahead returns what state.handle is told while a reader handles what d has decoded. d may be nil.
func ahead(d *decoder.Decoder) uint32 {
	switch {
	case d == nil, d.Buffered() == 0:
		return atFrame
	case d.Closing():
		return atClosing
	default:
		return midFrame
	}
}

// readers knows the goroutines that read. One that ends gives its frameReader back for another, so the list grows only
// when there are more than ever before. What the garbage collector has taken is removed from it.
type readers struct {
	idle sync.Pool // of *frameReader
	mu   sync.Mutex
	all  []weak.Pointer[frameReader]
}

// enter returns a frameReader for a goroutine that reads from c through d. leave must follow.
func (rs *readers) enter(c *Conn, d *decoder.Decoder) *frameReader {
	r, ok := rs.idle.Get().(*frameReader)
	if !ok {
		r = new(frameReader)
		rs.mu.Lock()
		rs.all = append(rs.all, weak.Make(r))
		rs.mu.Unlock()
	}
	r.conn, r.decoder = c, d
	r.at.Store(c)
	return r
}

func (rs *readers) leave(r *frameReader) {
	r.conn, r.decoder = nil, nil
	r.at.Store(nil)
	rs.idle.Put(r)
}

// each calls f for every connection that is read from.
func (rs *readers) each(f func(*Conn)) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	kept := rs.all[:0]
	for _, p := range rs.all {
		r := p.Value()
		if r == nil {
			continue
		}
		kept = append(kept, p)
		if c := r.at.Load(); c != nil {
			f(c)
		}
	}
	rs.all = kept
	if cap(kept) > 4*len(kept)+64 {
		rs.all = append([]weak.Pointer[frameReader](nil), kept...)
	}
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
		if c.state.handling() != atRest && int32(now-c.lastMessage.Load()) >= int32(slowAfter/time.Millisecond) {
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
	begun, at := c.lastMessage.Load(), c.state.handling()
	if at == atRest || c.state.has(left) {
		return
	}
	left := at == atClosing
	if !left {
		peek := l.buf
		if at != atFrame {
			peek = nil
		}
		left = netpoll.Left(c.writer.Conn(), peek)
	}
	// The observation counts only if the reader has been at the same message all the while. Else it may not be a frame's beginning.
	if left && c.state.handling() == at && c.lastMessage.Load() == begun {
		(*connContext)(c).leave()
	}
}
