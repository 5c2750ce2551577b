package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/internal/core/drain"
	"github.com/gohubkit/hubkit/internal/core/expire"
	"github.com/gohubkit/hubkit/internal/core/life"
	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/internal/core/presence"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/internal/logbound"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
	"github.com/gorilla/websocket"
)

// Hub holds the connections of one node and the rooms that they are in. It is an http.Handler. Several goroutines may call
// its methods.
type Hub struct {
	conf     config
	node     string
	idPrefix string // of connections: the node, and something random for each start
	log      *slog.Logger
	logs     *logbound.Handler // under log
	start    time.Time
	upgrader websocket.Upgrader

	broker   broker.Broker
	history  broker.History // nil if the broker has none
	presence *presence.Node // likewise
	nodes    *nodes.Exchange

	handlers    handlers
	posting     posting
	gate        *admission.Gate // nil if nothing is bounded
	tickets     *tickets        // nil unless a rate is admitted
	refusals    refusals
	warned      struct{ origin, hijack perMinute }
	usual       *setting
	conns       *registry.Conns[*Conn]
	users       *registry.Users[*Conn]
	revocations registry.Revocations[error] // a *CloseError, or of a room an *Error
	claims      registry.Claims             // of users whose connections are bounded
	rooms       *rooms.Node
	occupancy   occupancy // of rooms, for OnRoomUsed and OnRoomEmpty
	cluster     occupancy // likewise over all nodes
	tender      tender
	unruled     rule // of rooms that no pattern matches: without history, without presence
	beats       *heartbeat.MonitorOf[*pulse]
	sharer      *keySharer // nil without a key to share
	reporter    *repeater  // nil without a bus
	readers     readers
	rights      *expire.Wheel[right]
	lookout     *repeater       // for clients that leave while a handler runs
	ageSweeper  *repeater       // nil if neither age nor idleness is bounded
	poller      *netpoll.Poller // nil if each connection needs a goroutine
	sched       *fanout.Scheduler
	decoders    *decoder.Pool
	affinity    *affinity // nil without WithAffinity
	wire        wire.Config
	memory      *budget // nil without one
	stats       counters
	histograms  histograms
	roundTrip   roundTrip
	sent        wire.Sent
	sessions    sessionSecret
	nextConn    atomic.Uint64
	limits      protocol.Limits // what clients are told
	telling     sync.Mutex      // orders what clients are told of the broker's state

	poolMu  sync.Mutex
	pool    *workerpool.Pool
	ownPool bool

	// ctx is what callbacks' contexts descend from. It ends when the hub is closed.
	ctx      context.Context
	cancel   context.CancelFunc
	life     life.Life
	draining atomic.Pointer[drain.Drain] // nil before Shutdown or Close
}

// New returns a hub that is ready to be mounted. It blocks while the broker starts, at most 10 s. The error matches
// ErrOption and names every faulty option, or says what could not start, such as the broker. End the hub with Shutdown
// or Close.
func New(opts ...Option) (*Hub, error) {
	conf, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if conf.broker == nil {
		if conf.broker, err = memory.New(); err != nil {
			return nil, err
		}
	}
	if conf.node == "" {
		conf.node = randomName()
	}
	decoders, err := conf.newDecoders(conf.maxMessage)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	h := &Hub{
		conf:     conf,
		node:     conf.node,
		idPrefix: conf.node + "-" + randomName() + "-",
		start:    time.Now(),
		broker:   conf.broker,
		decoders: decoders,
		affinity: newAffinity(conf.affinity, conf.node),
		conns:    registry.NewConns(entryOf),
		users:    registry.NewUsers(entryOf, userOf),
		pool:     conf.pool,
		limits:   conf.announced(),

		histograms: newHistograms(),
		sessions:   newSessionSecret(),
	}
	h.usual = &setting{hub: h}
	h.occupancy = occupancy{hub: h, tell: h.tellUse}
	h.cluster = occupancy{hub: h, tell: h.tellClusterUse}
	h.tender.hub, h.tender.wake = h, make(chan struct{}, 1)
	h.logs = logbound.New(logbound.Safe(conf.logger.Handler(), func() { h.stats.panics.Add(1) }))
	h.log = slog.New(h.logs).With("node", conf.node)
	h.history, _ = conf.broker.(broker.History)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.presence = presence.New(conf.broker, presence.Config{
		Context: h.ctx, Run: h.life.Run, Stale: h.stats.stale.Load, Timeout: requestTimeout,
	})
	h.wire = wire.Config{
		MaxMessages: conf.backlogMessages,
		MaxBytes:    conf.backlogBytes,
		Timeout:     conf.writeTimeout,
		Deflater:    conf.deflater,
		DeflateMin:  conf.compressMin,
		Sent:        &h.sent,
	}
	if h.memory = h.newBudget(); h.memory != nil {
		h.wire.Held = h.memory.add
	}
	h.life.Hub = (*keeper)(h)
	if h.gate, err = conf.newGate(); err != nil {
		return nil, err
	}
	h.tickets = conf.newTickets()
	h.logMachine()
	h.logFastPaths()
	h.upgrader = h.newUpgrader()
	h.handlers.init()
	h.posting.init()
	h.unruled.Source = h.unruled.source()
	bus, _ := conf.broker.(broker.Bus)
	h.nodes = newNodes(h, bus)
	if err := h.open(); err != nil {
		return nil, errors.Join(err, h.release(context.Background()))
	}
	return h, nil
}

// randomName is 50 bits in lower case.
func randomName() string { return strings.ToLower(rand.Text()[:10]) }

// startTimeout bounds the broker's start. A broker may come up without its server: then the hub starts all the same. If
// not, New fails before the hub takes traffic.
const startTimeout = 10 * time.Second

// open starts everything that has to be stopped.
func (h *Hub) open() error {
	h.life.Open()
	var err error
	if h.beats, err = heartbeat.NewMonitorOf[*pulse](h.conf.heartbeat); err != nil {
		return err
	}
	if h.conf.uses(FastPathPoller) {
		if h.poller, err = netpoll.New(h.readable); err != nil {
			return err
		}
	}
	h.sched, err = fanout.NewScheduler(fanout.Config{
		Workers:     runtime.GOMAXPROCS(0),
		MaxMessages: min(roomQueueMessages, h.conf.backlogMessages),
		MaxBytes:    min(roomQueueBytes, h.conf.backlogBytes),
		NoUring:     !h.conf.uses(FastPathUring),
		Batches:     h.histograms.batches,
		Timed:       func(began time.Duration) { h.rooms.Sent(began) },
	})
	if err != nil {
		return err
	}
	h.rooms = h.newRooms()
	ctx, cancel := context.WithTimeout(h.ctx, startTimeout)
	defer cancel()
	if err := h.broker.Start(ctx, h.node, receiver{h.rooms, h}); err != nil {
		return fmt.Errorf("hub: broker: %w", err)
	}
	h.sharer = h.shareResumeKey()
	h.reporter = h.startReporter()
	if h.rights, err = expire.New(h.conf.rightsTick, h.due); err != nil {
		return err
	}
	h.ageSweeper = h.startAgeSweeper()
	h.lookout = repeat(h, lookEvery, h.newLookout().look)
	return nil
}

// The bounds of a room's queue, which holds what is published while a pass is under way. A batch this long is worth one
// write, and fits into an empty backlog.
const (
	roomQueueMessages = 256
	roomQueueBytes    = 256 << 10
)

// Node returns this node's name.
func (h *Hub) Node() string { return h.node }

// Ready reports whether the hub takes connections and its broker reaches the other nodes. With OutageDegrade a lost
// broker does not count. Use it for a readiness probe. It does not block.
func (h *Hub) Ready() bool {
	return h.life.Serving() && (h.conf.outage == OutageDegrade || !h.stats.stale.Load())
}

// release stops what open started, in an order in which nothing calls what has been stopped.
func (h *Hub) release(ctx context.Context) error {
	var errs []error
	if h.poller != nil {
		errs = append(errs, h.poller.Close())
	}
	if h.beats != nil {
		h.beats.Stop()
	}
	if h.rights != nil {
		h.rights.Close()
	}
	h.ageSweeper.close()
	h.lookout.close()
	h.sharer.close()
	h.rooms.Close()
	h.reporter.close()
	h.tender.close()
	if err := h.broker.Close(ctx); err != nil && !errors.Is(err, broker.ErrClosed) && !errors.Is(err, broker.ErrNotStarted) {
		errs = append(errs, err)
	}
	if h.sched != nil {
		h.sched.Close()
	}
	h.poolMu.Lock()
	pool, own := h.pool, h.ownPool
	h.poolMu.Unlock()
	if own {
		errs = append(errs, pool.Close(ctx))
	}
	h.cancel()
	errs = append(errs, h.life.Wait(ctx))
	h.logs.Flush()
	return errors.Join(errs...)
}
