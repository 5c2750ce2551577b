package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// ErrStarted is returned by a second Start, and by Restore after Start.
var ErrStarted = errors.New("memory: already started")

var (
	_ broker.Broker   = (*Broker)(nil)
	_ broker.History  = (*Broker)(nil)
	_ broker.Presence = (*Broker)(nil)
	_ broker.Bus      = (*Broker)(nil)
	_ broker.Evictor  = (*Broker)(nil)
)

// Broker is a broker for one node. New makes it. All methods may be called from several goroutines.
type Broker struct {
	// Lock order: life, room.mu, that of a publisher's keys, then shard.mu, agenda.mu or voids.mu.

	config
	born time.Time // what the times of rooms count from

	life     sync.Mutex // Start, Restore and Close exclude each other
	state    atomic.Int32
	restored bool
	node     string
	receiver broker.Receiver
	finder   broker.RoomFinder // the receiver, if it is one
	tasks    sync.WaitGroup
	stop     chan struct{} // closed when Close begins
	done     chan struct{} // closed when nothing is left running

	seed   maphash.Seed
	shards [shardCount]shard
	voids  voids
	used   atomic.Int64 // bytes of history
	lent   atomic.Int64 // idempotency keys of publishers
	stats  stats

	wake      chan struct{} // tells the sweeper that an agenda has a new earliest entry
	histories agenda
	idemKeys  agenda
	heaviest  agenda // histories, in the order in which they are shed
	busiest   agenda // publishers, by their keys

	commands chan command
	announce sync.Mutex
	info     broker.NodeInfo
}

const (
	fresh int32 = iota
	started
	closed
)

// New makes a broker that is not started yet. The error names every faulty option and matches
// broker.ErrInvalid.
func New(opts ...Option) (*Broker, error) {
	c, err := configure(opts)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		config:   c,
		born:     time.Now(),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
		seed:     maphash.MakeSeed(),
		wake:     make(chan struct{}, 1),
		commands: make(chan command, commandQueue),
	}
	for i := range b.shards {
		b.shards[i].rooms = make(map[string]*room)
	}
	b.voids.init()
	b.histories.wake, b.idemKeys.wake = b.wake, b.wake
	return b, nil
}

// Start makes the broker ready. It does not block. node must not be empty and r must not be nil. A second Start
// returns ErrStarted.
func (b *Broker) Start(ctx context.Context, node string, r broker.Receiver) error {
	if node == "" || r == nil {
		return fmt.Errorf("memory: %w: start needs a node and a receiver", broker.ErrInvalid)
	}
	b.life.Lock()
	defer b.life.Unlock()
	switch b.state.Load() {
	case started:
		return ErrStarted
	case closed:
		return broker.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.node, b.receiver = node, r
	b.finder, _ = r.(broker.RoomFinder)
	b.tasks.Go(b.sweep)
	b.tasks.Go(b.runCommands)
	b.state.Store(started)
	return nil
}

// Close ends the broker. It waits for the calls of the receiver that are under way. After it has returned
// nil, no call is made and nothing is running. If ctx ends first, it returns ctx's error; the broker is closed
// all the same, and another Close continues to wait. Stored data stays for Snapshot.
func (b *Broker) Close(ctx context.Context) error {
	b.life.Lock()
	if b.state.Swap(closed) != closed {
		close(b.stop)
		go b.drain()
	} else {
		select {
		case <-b.done:
			b.life.Unlock()
			return broker.ErrClosed
		default:
		}
	}
	b.life.Unlock()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("memory: close: %w", ctx.Err())
	}
}

// drain takes the lock of every room once. An earlier holder has then finished its call of the receiver. A later one
// sees that the broker is closed.
func (b *Broker) drain() {
	for r := range b.allRooms() {
		r.await()
	}
	b.tasks.Wait()
	close(b.done)
}

func (r *room) await() {
	r.mu.Lock()
	defer r.mu.Unlock() //nolint:gocritic // there is nothing to do: whoever held it is through
}

// ready tells why a call cannot be served.
func (b *Broker) ready(ctx context.Context) error {
	switch b.state.Load() {
	case fresh:
		return broker.ErrNotStarted
	case closed:
		return broker.ErrClosed
	}
	return ctx.Err()
}

// open tells whether the broker still serves. Under a room's lock the answer holds until the lock is
// released.
func (b *Broker) open() bool { return b.state.Load() == started }

// now is the time since the broker was made, in nanoseconds.
func (b *Broker) now() int64 { return int64(time.Since(b.born)) }
