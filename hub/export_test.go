package hub

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
)

// Sockets of tests take what they are sent, and a busy machine may be late with it.
func init() { farewell = 30 * time.Second }

// WithoutPoller makes connections take the path of systems without a poller: a goroutine each.
func WithoutPoller() Option { return WithoutFastPaths(FastPathPoller) }

// NoDecoders makes decoders fail as they do where gorilla's handshake has changed.
func NoDecoders(err error) Option {
	return func(c *config) error {
		c.newDecoders = func(int) (*decoder.Pool, error) { return nil, err }
		return nil
	}
}

// Clock is the gate's clock.
func Clock(now func() time.Time) Option {
	return func(c *config) error {
		c.admission.Now = now
		return nil
	}
}

// RightsTick is how late rights may end. They last five times as long at the least when their clients are asked for tokens.
func RightsTick(d time.Duration) Option {
	return func(c *config) error {
		c.rightsTick = d
		return nil
	}
}

// Rights is how many rights have an end.
func (h *Hub) Rights() int { return h.rights.Len() }

// Tickets is how many connections and handshakes the gate counts.
func (h *Hub) Tickets() (conns, handshakes int) {
	s := h.gate.Stats()
	return s.Conns, s.Handshaking
}

// ConnID is the ID of the nth connection.
func (h *Hub) ConnID(n uint64) string { return h.connID(n) }

// SessionOf is what a welcome calls the session that begins with a connection.
func (h *Hub) SessionOf(conn string) string {
	num, err := strconv.ParseUint(strings.TrimPrefix(conn, h.idPrefix), 36, 64)
	if err != nil {
		panic(err)
	}
	return h.sessions.of(conn, num)
}

// PagesLent is how many bytes of pages the readers of histories hold.
func (h *Hub) PagesLent() int64 { return h.rooms.Stats().Lent }

// Claims is how many connections are counted because their users may only have so many.
func (h *Hub) Claims() int { return h.claims.Len() }

// WithoutDecoders calls f while nobody can read from a connection but the poller. Readers must have parked all connections,
// which they do under the lock that is taken here.
func (h *Hub) WithoutDecoders(f func()) {
	sync := func() {
		for _, c := range h.conns.All() {
			_ = c.writer.Use(func(int) error { return nil })
		}
	}
	sync()
	was := h.decoders
	h.decoders = nil
	defer func() {
		h.decoders = was
		sync()
	}()
	f()
}

// Top is the n greatest of what is offered, the greatest first.
func Top(n int, offered []int) []int {
	t := top[int]{n: n, less: func(a, b int) bool { return a < b }}
	for _, x := range offered {
		t.offer(x)
	}
	return t.sorted()
}

// ClusterOccupied is Occupied over all nodes.
func (h *Hub) ClusterOccupied() int {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	return len(h.cluster.rooms)
}

// Occupied is how many rooms the application takes for used, or is being told about.
func (h *Hub) Occupied() int {
	h.occupancy.mu.Lock()
	defer h.occupancy.mu.Unlock()
	return len(h.occupancy.rooms)
}

// Link is the type of what the connection reads from and writes to, and whether the poller watches it.
func (c *Conn) Link() (string, bool) {
	return fmt.Sprintf("%T", c.writer.Conn()), c.watched == byPoller
}
