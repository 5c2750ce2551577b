package redis

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	catchUpWorkers = 8
	catchUpPage    = 128
	catchUpBytes   = 1 << 20
	catchUpRetry   = 200 * time.Millisecond
)

// catchUps reads from history what channels did not bring: a few rooms at a time, a page at a time, so
// that many rooms that come back together do not flood the server.
type catchUps struct {
	b *Broker

	mu      sync.Mutex
	closed  bool
	rooms   []*room
	workers int
	running sync.WaitGroup
}

// add queues a room. A room is in the queue at most once for each time that it has fallen behind or was
// not primed.
func (c *catchUps) add(r *room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.rooms = append(c.rooms, r)
	if c.workers < catchUpWorkers {
		c.workers++
		c.running.Go(c.work)
	}
}

// close lets no catch-up begin any more and waits for those under way, which end with the broker's
// context.
func (c *catchUps) close() {
	c.mu.Lock()
	c.closed, c.rooms = true, nil
	c.mu.Unlock()
	c.running.Wait()
}

func (c *catchUps) work() {
	for {
		c.mu.Lock()
		if len(c.rooms) == 0 {
			c.rooms = nil
			c.workers--
			c.mu.Unlock()
			return
		}
		r := c.rooms[0]
		c.rooms = c.rooms[1:]
		c.mu.Unlock()
		if err := c.catchUp(c.b.ctx, r); err != nil && c.b.ctx.Err() == nil {
			// One server may be gone while the others are there: their rooms go first.
			time.AfterFunc(catchUpRetry/2+rand.N(catchUpRetry), func() { c.add(r) })
		}
	}
}

// catchUp reads on from the last message handed over until nothing is missing.
func (c *catchUps) catchUp(ctx context.Context, r *room) error {
	r.mu.Lock()
	if r.working {
		r.mu.Unlock()
		return nil
	}
	r.working = true
	r.mu.Unlock()
	err := c.step(ctx, r)
	for err == nil {
		r.mu.Lock()
		if r.gone || r.primed && !r.unsure && !r.lagging {
			r.working = false
			r.caughtUp()
			r.mu.Unlock()
			return nil
		}
		r.mu.Unlock()
		err = c.step(ctx, r)
	}
	r.mu.Lock()
	r.working = false
	r.mu.Unlock()
	return err
}

func (c *catchUps) step(ctx context.Context, r *room) error {
	r.mu.Lock()
	ask, lagging, last := !r.primed || r.unsure, r.lagging, r.last
	r.asked = len(r.held)
	r.mu.Unlock()
	if ask {
		return c.b.askTops(ctx, []*room{r}, nil)[0]
	}
	if !lagging {
		return nil
	}
	p, err := c.b.readAfter(ctx, r.channel, last)
	if err != nil {
		return err
	}
	c.b.stats.caughtUp.Add(int64(len(p.messages)))
	r.mu.Lock()
	if r.gone {
		r.mu.Unlock()
		return nil
	}
	if p.gap {
		c.b.stats.gaps.Add(1)
	}
	events, _ := r.advance(&p)
	r.post(c.b.receiver, events...)
	return nil
}

// countdown counts the rooms that a link waits for before it is caught up.
type countdown struct {
	left atomic.Int64
	done chan struct{}
}

func newCountdown() *countdown {
	s := &countdown{done: make(chan struct{})}
	s.left.Store(1) // until all rooms are counted
	return s
}

func (s *countdown) one() {
	if s.left.Add(-1) == 0 {
		close(s.done)
	}
}

// await makes s wait for the room's catch-up. The caller holds the room's lock.
func (r *room) await(s *countdown) {
	s.left.Add(1)
	r.waiting = append(r.waiting, s)
}

// caughtUp tells those who wait. The caller holds the room's lock.
func (r *room) caughtUp() {
	for _, s := range r.waiting {
		s.one()
	}
	r.waiting = nil
}
