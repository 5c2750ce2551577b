package redis

import (
	"context"
	"errors"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
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
	servers map[string]*owner // by address; empty for the only one
	owners  *[slots]*owner    // nil without a cluster
	only    *owner
}

// owner is a server that has slots, and this node's own connections to it.
type owner struct {
	addr    string
	links   []*link // none where nothing is subscribed to
	lanes   []*lane
	breaker *breaker
}

func (o *owner) stop() {
	for _, l := range o.links {
		l.stop()
	}
	for _, l := range o.lanes {
		l.stop()
	}
}

// wait returns when the connections are closed, after stop.
func (o *owner) wait() {
	for _, l := range o.links {
		<-l.ended
	}
	for _, l := range o.lanes {
		<-l.ended
	}
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

// lane returns the lane for what is published to a room, nil where there is none, and the breaker of its server.
func (g *routes) lane(room string) (*lane, *breaker) {
	t := g.table.Load()
	o := t.only
	if t.owners != nil {
		o = t.owners[slotOfRoom(room)]
	}
	switch {
	case o == nil:
		return nil, g.none
	case len(o.lanes) == 0:
		return nil, o.breaker
	case len(o.lanes) == 1:
		return o.lanes[0], o.breaker
	}
	h := fnv.New32a()
	_, _ = h.Write(data(room))
	return o.lanes[h.Sum32()%uint32(len(o.lanes))], o.breaker
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

// dialed is the address by which the client connects to a server. It may be a name that is another server's by now.
func (g *routes) dialed(addr string) string {
	if addr == "" {
		for only := range g.b.client.Nodes() {
			return only
		}
	}
	return addr
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
		if t == nil {
			return channel
		}
		if o := t.owner(slotOf(channel)); o != nil && o.addr == addr {
			return channel
		}
	}
	return channel // a server that has hardly a slot: it says so, and the link ends
}

// open makes the connections to all servers there are.
func (g *routes) open(ctx context.Context) error {
	if !g.b.cluster {
		g.table.Store(&table{only: &owner{breaker: g.breakerAt("")}})
		o := g.newOwner("", false)
		g.table.Store(&table{only: o, servers: map[string]*owner{"": o}})
		return nil
	}
	g.table.Store(&table{owners: new([slots]*owner)})
	return g.look(ctx)
}

// newOwner makes the connections to a server. Links that come later leave the node Stale until they have caught up.
func (g *routes) newOwner(addr string, later bool) *owner {
	o := &owner{addr: addr, breaker: g.breakerAt(addr)}
	if g.b.receiver != nil {
		for range g.b.subscribeConns {
			l := g.b.newLink(addr)
			if later {
				g.b.state.lost(l)
			}
			l.start()
			o.links = append(o.links, l)
		}
	}
	for range g.b.publishConns {
		l := g.b.newLane(addr)
		l.start()
		o.lanes = append(o.lanes, l)
	}
	return o
}

// steer asks for a look at the cluster.
func (b *Broker) steer() {
	select {
	case b.routes.kick <- struct{}{}:
	default:
	}
}

// run looks at the cluster, and for rooms that are adrift, from time to time and when asked to.
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
		var err error
		if g.b.cluster {
			err = g.look(ctx)
		}
		wait := steerInterval/2 + rand.N(steerInterval)
		if err != nil || (g.b.cluster || g.b.state.drifting()) && g.mend(ctx) {
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

// look asks the cluster who has which slots, and makes and ends connections accordingly.
func (g *routes) look(ctx context.Context) error {
	addrs, err := g.ask(ctx)
	if err != nil {
		return err
	}
	old := g.table.Load()
	servers, begun := make(map[string]*owner), []string(nil)
	for _, addr := range addrs {
		if addr == "" || servers[addr] != nil {
			continue
		}
		o := old.servers[addr]
		if o == nil {
			// In use already: what asks for a link now gets none, and waits for the next step.
			o = &owner{addr: addr, breaker: g.breakerAt(addr)}
			begun = append(begun, addr)
		}
		servers[addr] = o
	}
	g.table.Store(newTable(addrs, servers))
	if len(begun) > 0 {
		for _, addr := range begun {
			servers[addr] = g.newOwner(addr, len(old.servers) > 0)
		}
		g.table.Store(newTable(addrs, servers))
	}
	var gone []*owner
	for addr, o := range old.servers {
		if servers[addr] == nil {
			gone = append(gone, o)
			o.stop()
		}
	}
	for _, o := range gone {
		o.wait()
		for _, l := range o.links {
			g.b.state.recovered(l)
		}
	}
	return nil
}

func newTable(addrs *[slots]string, servers map[string]*owner) *table {
	t := &table{servers: maps.Clone(servers), owners: new([slots]*owner)}
	for slot, addr := range addrs {
		t.owners[slot] = servers[addr]
	}
	return t
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

		done, refused, err := s.subscribe(ctx, rooms)
		if err != nil || len(done)+len(refused) < len(rooms) {
			left = true // what was refused can wait for the next look
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

// close ends all connections.
func (g *routes) close() {
	t := g.table.Load()
	if t == nil {
		return
	}
	for _, o := range t.servers {
		o.stop()
	}
	for _, o := range t.servers {
		o.wait()
	}
}
