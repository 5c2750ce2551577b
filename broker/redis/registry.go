package redis

import (
	"sync"
	"time"
)

// registry holds the rooms that this node is subscribed to, whatever has become of the connections. A
// room is in it from Subscribe to Unsubscribe.
type registry struct {
	b *Broker

	mu    sync.RWMutex
	rooms map[string]*room // by channel
}

func (g *registry) find(channel []byte) *room {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.rooms[string(channel)]
}

// listening returns a room whose subscription is up: its link has caught up, and it is subscribed to there. It returns nil if there is
// none.
func (g *registry) listening(channel string) *room {
	g.mu.RLock()
	defer g.mu.RUnlock()
	r := g.rooms[channel]
	if r == nil || r.adrift || r.link == nil || !r.link.whole.Load() {
		return nil
	}
	return r
}

// saw compares the newest position that a reader was told with what this node has handed over. If the metadata of a room was
// lost, the node learns of it here, and not from the next message alone. kept says that Redis was asked to keep them.
func (g *registry) saw(channel string, top mark, kept bool) {
	r := g.find([]byte(channel))
	if r == nil {
		return
	}
	r.mu.Lock()
	lost := false
	switch {
	case !r.primed || r.unsure || r.lagging || r.last.epoch == top.epoch:
	case r.last.offset > 0:
		r.unsure, lost = true, true
	case top.offset == 0:
		r.last = top // which is what readers resume from
	}
	if kept && r.last.epoch == top.epoch {
		r.kept = time.Now()
	}
	r.mu.Unlock()
	if lost {
		g.b.catchUps.add(r)
	}
}

// add registers rooms and returns those that are not yet subscribed to, by link; those of a nil link
// have no server now.
func (g *registry) add(rooms []*room) map[*link][]*room {
	g.mu.Lock()
	defer g.mu.Unlock()
	todo := make(map[*link][]*room)
	for _, r := range rooms {
		if known := g.rooms[r.channel]; known != nil {
			known.deliverTo(r.to)
			if known.ready.Load() {
				continue
			}
			r = known
		} else {
			g.rooms[r.channel] = r
			if r.link = g.b.routes.link(r); r.link == nil {
				r.adrift = true
				g.b.state.drift(1)
				g.b.steer()
			}
		}
		todo[r.link] = append(todo[r.link], r)
	}
	return todo
}

// remove forgets channels and returns the rooms they were, by link.
func (g *registry) remove(channels []string) map[*link][]*room {
	g.mu.Lock()
	defer g.mu.Unlock()
	gone := make(map[*link][]*room)
	for _, c := range channels {
		r := g.rooms[c]
		if r == nil {
			continue
		}
		delete(g.rooms, c)
		if r.adrift {
			r.adrift = false
			g.b.state.drift(-1)
		}
		r.mu.Lock()
		r.gone = true
		r.held, r.queue = nil, nil
		r.caughtUp()
		r.mu.Unlock()
		gone[r.link] = append(gone[r.link], r)
	}
	return gone
}

// again returns those that are registered anew of rooms that were removed.
func (g *registry) again(removed []*room) (rooms []*room) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, r := range removed {
		if now := g.rooms[r.channel]; now != nil {
			rooms = append(rooms, now)
		}
	}
	return rooms
}

// of returns the rooms of a link.
func (g *registry) of(l *link) (rooms []*room) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, r := range g.rooms {
		if r.link == l {
			rooms = append(rooms, r)
		}
	}
	return rooms
}

// anchored notes that rooms are subscribed to on the link.
func (g *registry) anchored(rooms []*room, l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, r := range rooms {
		r.refused.Store(false)
		if r.adrift && r.link == l && g.rooms[r.channel] == r {
			r.adrift = false
			n--
		}
	}
	if n < 0 {
		g.b.state.drift(n)
	}
}

// drift notes that a room is not subscribed to on the link it belongs to, and has that mended.
func (g *registry) drift(channel string, l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.rooms[channel]; r != nil && r.link == l && !r.adrift {
		r.adrift = true
		g.b.state.drift(1)
		g.b.steer()
	}
}

// route gives every room the link that it now belongs to. It returns those to be subscribed to, by link:
// the moved and the adrift.
func (g *registry) route() map[*link][]*room {
	g.mu.Lock()
	defer g.mu.Unlock()
	todo := make(map[*link][]*room)
	n := 0
	for _, r := range g.rooms {
		if l := g.b.routes.link(r); l != r.link {
			r.link = l
			if !r.adrift {
				r.adrift = true
				n++
			}
		}
		if r.adrift {
			todo[r.link] = append(todo[r.link], r)
		}
	}
	if n > 0 {
		g.b.state.drift(n)
	}
	return todo
}
