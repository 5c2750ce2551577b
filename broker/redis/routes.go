package redis

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// steerInterval is how often a cluster is asked which server has which slots, and the Sentinels which
	// is the master, when nothing else gives reason to ask.
	steerInterval = 5 * time.Second
	steerRetry    = 100 * time.Millisecond
)

// routes knows which server is responsible for which room: the only one, or in a cluster the master of
// the room's slot.
type routes struct {
	b    *Broker
	kick chan struct{} // asks for a look at the cluster

	mu       sync.Mutex
	breakers map[string]*breaker
	none     *breaker // of slots without a server: the client finds out
	table    atomic.Pointer[table]
}

// table is an answer to who is where. It is not changed.
type table struct {
	links  map[string][]*link // by address
	owners *[slots]*owner     // nil without a cluster
	only   *owner
}

type owner struct {
	addr    string
	links   []*link
	breaker *breaker
}

func newRoutes(b *Broker) *routes {
	return &routes{b: b, kick: make(chan struct{}, 1), breakers: make(map[string]*breaker),
		none: &breaker{spawn: func(func()) bool { return false }}}
}

func (t *table) owner(slot int) *owner {
	if t.owners == nil {
		return t.only
	}
	return t.owners[slot]
}

// link returns the link for a room, nil where its slot has no server.
func (g *routes) link(r *room) *link {
	o := g.table.Load().owner(r.slot)
	if o == nil || len(o.links) == 0 {
		return nil
	}
	if len(o.links) == 1 {
		return o.links[0]
	}
	h := fnv.New32a()
	_, _ = h.Write(data(r.channel))
	return o.links[h.Sum32()%uint32(len(o.links))]
}

func (g *routes) breaker(channel string) *breaker {
	t := g.table.Load()
	if t.owners == nil {
		return t.only.breaker
	}
	if o := t.owners[slotOf(channel)]; o != nil {
		return o.breaker
	}
	return g.none
}

// addr returns the address of the server of a channel.
func (g *routes) addr(channel string) string {
	if o := g.table.Load().owner(slotOf(channel)); o != nil {
		return o.addr
	}
	return ""
}

func (g *routes) breakerAt(addr string) *breaker {
	g.mu.Lock()
	defer g.mu.Unlock()
	br := g.breakers[addr]
	if br == nil {
		br = g.b.newBreaker(addr)
		g.breakers[addr] = br
	}
	return br
}

// locate returns the address of a server: of the only one, or the master that the Sentinels name, for "".
func (g *routes) locate(ctx context.Context, addr string) (string, error) {
	nodes := g.b.client.Nodes()
	if addr == "" {
		for only := range nodes {
			return only, nil
		}
		return "", errUnknownServer
	}
	if nodes[addr] != nil {
		return addr, nil
	}
	// A command to a slot of that server shows the client that it looked at the cluster too long ago.
	ctx, cancel := context.WithTimeout(ctx, g.b.ioTimeout)
	defer cancel()
	err := g.b.client.Do(ctx, g.b.client.B().Exists().Key(g.probe(addr)).Build()).Error()
	return "", errors.Join(errUnknownServer, err)
}

// probe makes up the name of a channel that the server at addr is responsible for.
func (g *routes) probe(addr string) string {
	t := g.table.Load()
	var channel string
	for range 64 * 1024 {
		channel = g.b.names.probe(strconv.FormatUint(rand.Uint64(), 36))
		if addr == "" {
			return channel
		}
		if o := t.owner(slotOf(channel)); o != nil && o.addr == addr {
			return channel
		}
	}
	return channel // a server that has hardly a slot: it says so, and the link ends
}

// open makes the links to all servers there are.
func (g *routes) open(ctx context.Context) error {
	if !g.b.cluster {
		o := &owner{breaker: g.breakerAt("")}
		g.table.Store(&table{only: o})
		if g.b.receiver != nil {
			o = &owner{breaker: o.breaker, links: g.newLinks("", false)}
			g.table.Store(&table{only: o, links: map[string][]*link{"": o.links}})
		}
		return nil
	}
	g.table.Store(&table{owners: new([slots]*owner)})
	return g.look(ctx)
}

// newLinks makes the links to a server. Those that come later leave the node Stale until they are settled.
func (g *routes) newLinks(addr string, later bool) (links []*link) {
	for range g.b.subscribeConns {
		l := g.b.newLink(addr)
		if later {
			g.b.state.lost(l)
		}
		l.start()
		links = append(links, l)
	}
	return links
}

// steer asks for a look at the cluster.
func (b *Broker) steer() {
	select {
	case b.routes.kick <- struct{}{}:
	default:
	}
}

// run looks at the cluster from time to time, and when asked to.
func (g *routes) run() {
	ctx := g.b.ctx
	next := time.NewTimer(steerInterval)
	defer next.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-g.kick:
			asked = true
		case <-next.C:
		}
		err := g.look(ctx)

		wait := steerInterval/2 + rand.N(steerInterval)
		if err != nil || g.mend(ctx) {
			wait = steerRetry/2 + rand.N(steerRetry)
		}
		next.Reset(wait)
		if asked {
			// However many ask, a look is not taken more often than this.
			select {
			case <-ctx.Done():
				return
			case <-time.After(steerRetry / 4):
			}
		}
	}
}

// look asks the cluster who has which slots, and makes and ends links accordingly.
func (g *routes) look(ctx context.Context) error {
	addrs, err := g.ask(ctx)
	if err != nil {
		return err
	}
	old := g.table.Load()
	t := &table{links: make(map[string][]*link), owners: new([slots]*owner)}
	owners := make(map[string]*owner)
	for slot, addr := range addrs {
		if addr == "" {
			continue
		}
		o := owners[addr]
		if o == nil {
			o = &owner{addr: addr, links: old.links[addr], breaker: g.breakerAt(addr)}
			owners[addr] = o
			t.links[addr] = o.links
		}
		t.owners[slot] = o
	}
	g.table.Store(t)
	for addr, o := range owners {
		if o.links == nil && g.b.receiver != nil {
			// In use already: what asks for a link now gets none, and waits for the next step.
			o = &owner{addr: addr, links: g.newLinks(addr, len(old.links) > 0), breaker: o.breaker}
			owners[addr] = o
		}
	}
	t = &table{links: make(map[string][]*link), owners: new([slots]*owner)}
	for slot, addr := range addrs {
		if o := owners[addr]; o != nil {
			t.owners[slot] = o
			t.links[addr] = o.links
		}
	}
	g.table.Store(t)
	for addr, links := range old.links {
		if t.links[addr] != nil {
			continue
		}
		for _, l := range links {
			l.stop()
		}
		for _, l := range links {
			<-l.ended
			g.b.state.settled(l)
		}
	}
	return nil
}

// mend has the rooms that belong elsewhere, or nowhere yet, subscribed to where they belong. It tells
// whether any are left.
func (g *routes) mend(ctx context.Context) (left bool) {
	for l, rooms := range g.b.rooms.route() {
		s := l.up()
		if s == nil {
			left = true
			continue // a link that comes up takes all its rooms
		}

		done, err := s.subscribe(ctx, rooms)
		if err != nil || len(done) < len(rooms) {
			left = true
		}
		_ = g.b.prime(ctx, done, nil) // what failed is tried again
	}
	return left
}

// ask returns the address of the master of each slot.
func (g *routes) ask(ctx context.Context) (addrs *[slots]string, err error) {
	err = errors.New("no server is known")
	for addr, node := range g.b.client.Nodes() {
		asking, cancel := context.WithTimeout(ctx, g.b.ioTimeout)
		ranges, failure := node.Do(asking, node.B().ClusterSlots().Build()).ToArray()
		cancel()
		if failure == nil {
			addrs, failure = parseSlots(addr, ranges)
		}
		if err = failure; err == nil {
			return addrs, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, unavailable(err)
}

// close ends all links.
func (g *routes) close() {
	t := g.table.Load()
	if t == nil {
		return
	}
	for _, links := range t.links {
		for _, l := range links {
			l.close()
		}
	}
}

// parseSlots reads an answer to CLUSTER SLOTS. A server that does not know its own name means the
// address at which it was asked.
func parseSlots(asked string, ranges []rueidis.RedisMessage) (*[slots]string, error) {
	host, _, err := net.SplitHostPort(asked)
	if err != nil {
		return nil, err
	}
	var addrs [slots]string
	for _, r := range ranges {
		parts, err := r.ToArray()
		if err != nil || len(parts) < 3 {
			return nil, errors.New("unexpected answer to CLUSTER SLOTS")
		}
		from, err1 := parts[0].AsInt64()
		to, err2 := parts[1].AsInt64()
		master, err3 := parts[2].ToArray()
		if errors.Join(err1, err2, err3) != nil || len(master) < 2 || from < 0 || to >= slots {
			return nil, errors.New("unexpected answer to CLUSTER SLOTS")
		}
		name, err := master[0].ToString()
		if name == "" || err != nil {
			name = host
		}
		port, err := master[1].AsInt64()
		if err != nil {
			return nil, err
		}
		for slot := from; slot <= to; slot++ {
			addrs[slot] = net.JoinHostPort(name, strconv.FormatInt(port, 10))
		}
	}
	return &addrs, nil
}
