package redis

import (
	"context"
	"sync"
	"time"
)

// Abandon ends the broker as a crash of its process would: it takes back nothing.
func (b *Broker) Abandon() {
	b.phase.Store(closing)
	b.end()
	b.phase.Store(closed)
	close(b.done)
}

// WithEmptyAge sets how long the metadata of a room without messages and members lives.
func WithEmptyAge(d time.Duration) Option {
	return func(c *config) error {
		c.emptyAge = d
		return nil
	}
}

// RollCall is how long a new node waits for others of its name, on a busy machine.
const RollCall = 3 * time.Second

func init() { rollCall = RollCall }

// TakeForDead tells all nodes that another one did not answer to its name.
func (b *Broker) TakeForDead(ctx context.Context, other *Broker) error {
	return b.publishPlain(ctx, b.names.broadcast(), encodeOwner(ownerDied, other.owner))
}

// NextVisit is when this node looks after its members in a room.
func (b *Broker) NextVisit(room string) time.Duration {
	b.presence.mu.Lock()
	defer b.presence.mu.Unlock()
	return time.Until(b.presence.rooms[room].due)
}

// Watches tells whether this node looks after the members of a room.
func (b *Broker) Watches(room string) bool {
	b.presence.mu.Lock()
	defer b.presence.mu.Unlock()
	return b.presence.rooms[room] != nil
}

// Stall has the broker do nothing about presence until the function it returns is called, which may be called twice.
func (b *Broker) Stall() (goOn func()) {
	b.presence.mu.Lock()
	return sync.OnceFunc(b.presence.mu.Unlock)
}

// Died has the broker hear that another has died.
func (b *Broker) Died(other *Broker) { b.presence.died(other.owner) }
