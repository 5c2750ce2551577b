package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

// ErrStarted is returned by a second Start.
var ErrStarted = errors.New("redis: already started")

var (
	_ broker.Broker     = (*Broker)(nil)
	_ broker.Positioner = (*Broker)(nil)
	_ broker.Presence   = (*Broker)(nil)
	_ broker.Bus        = (*Broker)(nil)
	_ broker.Linked     = (*Broker)(nil)
)

// Broker is a broker on Redis. New makes it. All methods may be called from several goroutines.
type Broker struct {
	// Lock order: registry.mu, then room.mu, then the locks of catchUps, presence and state.

	config
	names          names
	metadataMillis string
	owner          string // whose members this broker's are: unlike the node's name never used twice

	life  sync.Mutex // Start and Close exclude each other
	phase atomic.Int32
	ctx   context.Context // ends when Close begins
	stop  context.CancelFunc
	done  chan struct{} // closed when nothing is left running

	spawning sync.RWMutex
	tasks    sync.WaitGroup

	node      string
	receiver  broker.Receiver
	batches   broker.BatchReceiver // the receiver, where it is one
	finder    broker.RoomFinder    // likewise
	client    rueidis.Client
	cluster   bool
	verbs     verbs
	routes    *routes
	rooms     *registry
	catchUps  *catchUps
	state     *state
	presence  *presence
	namesakes namesakes
	stats     stats
	dials     *dials
	refusals  seldom // the log of rooms that are refused

	askMu sync.Mutex
	asked *asking // nil unless credentials are being asked for

	occupied occupied

	infoMu    sync.Mutex
	info      broker.NodeInfo
	announced chan struct{}
}

const (
	fresh int32 = iota
	started
	closing
	closed
)

// New makes a broker that is not started yet. addrs are the addresses of a server, of nodes of a cluster, or of
// Sentinels (with WithSentinel), as host:port. It does not connect. The error names every fault and matches
// broker.ErrInvalid.
func New(addrs []string, opts ...Option) (*Broker, error) {
	c, err := configure(addrs, opts)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		config:         c,
		names:          namesOf(c.prefix, c.database),
		metadataMillis: strconv.FormatInt(c.metadataTTL.Milliseconds(), 10),
		done:           make(chan struct{}),
		announced:      make(chan struct{}, 1),
	}
	b.reset()
	return b, nil
}

// reset makes what one attempt to start needs.
func (b *Broker) reset() {
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.owner = rand.Text()[:16]
	b.routes = newRoutes(b)
	b.rooms = &registry{b: b, rooms: make(map[string]*room)}
	b.catchUps = &catchUps{b: b}
	b.state = newState()
	b.dials = &dials{keepAlive: b.dialer().KeepAlive, conns: make(map[*dialed]struct{})}
	b.presence = newPresence(b.refresh)
}

// Start connects, and returns when this node can send to the others and receive from them. It blocks no longer than ctx,
// which bounds the start only. With a nil receiver the broker only publishes: it subscribes to nothing, Nodes does not
// list it, and it needs no name.
//
// After an error that matches broker.ErrUnavailable, Start may be called again: Redis could not be reached, cannot be
// written to, or lacks permissions. The error then names all missing permissions. A second Start returns ErrStarted.
func (b *Broker) Start(ctx context.Context, node string, r broker.Receiver) error {
	if r != nil && node == "" {
		return fmt.Errorf("redis: %w: start needs the name of the node", broker.ErrInvalid)
	}
	b.life.Lock()
	defer b.life.Unlock()
	switch b.phase.Load() {
	case fresh:
	case started:
		return ErrStarted
	default:
		return broker.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.batches, _ = r.(broker.BatchReceiver)
	b.finder, _ = r.(broker.RoomFinder)
	client, err := b.dial(ctx)
	if err != nil {
		return err
	}
	b.node, b.receiver, b.client = node, r, client
	b.cluster = client.Mode() == rueidis.ClientModeCluster
	b.verbs = plainVerbs
	if b.cluster {
		b.verbs = shardedVerbs
	}
	if err := b.begin(ctx); err != nil {
		b.end()
		b.reset()
		return err
	}
	b.phase.Store(started)
	return nil
}

// begin starts all that runs until Close.
func (b *Broker) begin(ctx context.Context) error {
	if err := b.routes.open(ctx); err != nil {
		return err
	}
	if err := b.checkPermissions(ctx); err != nil {
		return unavailable(err)
	}
	if !b.cluster { // which names its masters itself
		if err := b.ping(ctx, ""); err != nil {
			return unavailable(err)
		}
	}
	b.spawn(b.checkUps)
	if b.receiver == nil {
		if b.cluster {
			b.spawn(b.routes.run)
		}
		return nil
	}
	for _, o := range b.routes.table.Load().servers {
		for _, l := range o.links {
			select {
			case err := <-l.first:
				if err != nil {
					return unavailable(err)
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	bus := []*room{b.newRoom("", b.names.broadcast(), true), b.newRoom("", b.names.node(b.node), true)}
	if err := b.subscribe(ctx, b.rooms.add(bus), nil); err != nil {
		return err
	}
	earlier, err := b.listed(ctx)
	if err != nil {
		return err
	}
	if err := b.announce(ctx); err != nil {
		return err
	}
	if earlier != "" {
		b.spawn(func() { b.succeed(earlier) })
	}
	b.steer()
	b.spawn(b.routes.run)
	b.spawn(b.runAnnouncements)
	b.spawn(b.runVisits)
	b.spawn(b.keepEmpty)
	b.spawn(func() { b.state.tell(b.ctx.Done(), b.receiver) })
	return nil
}

// spawn runs a task that Close waits for. It tells whether it did: after Close has begun none is run.
func (b *Broker) spawn(task func()) bool {
	b.spawning.RLock()
	defer b.spawning.RUnlock()
	if b.ctx.Err() != nil {
		return false
	}
	b.tasks.Go(task)
	return true
}

// Close removes this node's announcements and members, and ends the broker. It waits for calls of the receiver
// that are under way. After it has returned nil, no call is made and nothing is running. If ctx ends first, it
// returns ctx's error; the broker is closed all the same, and another Close continues to wait.
func (b *Broker) Close(ctx context.Context) error {
	b.life.Lock()
	switch b.phase.Load() {
	case fresh:
		b.phase.Store(closed)
		b.stop()
		close(b.done)
		b.life.Unlock()
		return nil
	case started:
		b.phase.Store(closing)
		b.quit(ctx)
		go func() {
			b.end()
			b.phase.Store(closed)
			close(b.done)
		}()
	default:
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
		return fmt.Errorf("redis: close: %w", ctx.Err())
	}
}

// end stops all that begin started and waits for it.
func (b *Broker) end() {
	b.spawning.Lock()
	b.stop()
	b.spawning.Unlock()
	b.client.Close() // breaks off the commands under way
	b.tasks.Wait()
	b.routes.close()
	b.catchUps.close()
}

// ready tells why a call cannot be served.
func (b *Broker) ready(ctx context.Context) error {
	switch b.phase.Load() {
	case fresh:
		return broker.ErrNotStarted
	case started:
		return ctx.Err()
	}
	return broker.ErrClosed
}
