package redis

import (
	"container/heap"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// hurryWithin spreads the visits that follow a reconnect.
const hurryWithin = 2 * time.Second

// presence is what this node keeps alive in Redis: its members, by room, and when each room is due for a
// visit. A room that is subscribed and has members of other nodes only is visited when one of those nodes
// would expire.
type presence struct {
	refresh time.Duration
	wake    chan struct{} // something is due earlier than thought

	mu    sync.Mutex
	rooms map[string]*attendance
	agenda
}

type attendance struct {
	room    string
	members map[string]string   // connection → JSON
	leaving map[string]struct{} // connections that Redis may still list
	due     time.Time
}

func newPresence(refresh time.Duration) *presence {
	return &presence{refresh: refresh, wake: make(chan struct{}, 1), rooms: make(map[string]*attendance)}
}

// room returns the attendance of a room, a new one if need be. The caller holds the lock.
func (p *presence) room(name string) *attendance {
	a := p.rooms[name]
	if a == nil {
		a = &attendance{room: name, members: make(map[string]string), leaving: make(map[string]struct{})}
		p.rooms[name] = a
		p.plan(a, jitter(p.refresh))
	}
	return a
}

// plan sets when the room is visited next. The caller holds the lock.
func (p *presence) plan(a *attendance, in time.Duration) {
	a.due = time.Now().Add(in)
	heap.Push(&p.agenda, visit{a, a.due})
	if p.agenda[0].room == a {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *presence) enter(room, conn, member string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.room(room)
	a.members[conn] = member
	delete(a.leaving, conn)
}

// leave tells whether the member was there.
func (p *presence) leave(room, conn string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil {
		return false
	}
	if _, ok := a.members[conn]; !ok {
		return false
	}
	delete(a.members, conn)
	a.leaving[conn] = struct{}{}
	return true
}

// left notes that Redis does not list a member any more.
func (p *presence) left(room, conn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.rooms[room]; a != nil {
		delete(a.leaving, conn)
	}
}

// watch has a room visited though it may have no members of this node.
func (p *presence) watch(room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room(room)
}

func (p *presence) unwatch(room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.rooms[room]; a != nil && len(a.members) == 0 && len(a.leaving) == 0 {
		p.forget(a)
	}
}

// forget drops a room. The caller holds the lock.
func (p *presence) forget(a *attendance) {
	delete(p.rooms, a.room)
	a.due = time.Time{}
}

// owned lists the rooms with members of this node.
func (p *presence) owned() (rooms []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, a := range p.rooms {
		if len(a.members) > 0 || len(a.leaving) > 0 {
			rooms = append(rooms, name)
		}
	}
	return rooms
}

// snapshot returns the members of this node in a room, and the connections to take back.
func (p *presence) snapshot(room string) (members map[string]string, leaving []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil {
		return nil, nil
	}
	return maps.Clone(a.members), slices.Collect(maps.Keys(a.leaving))
}

// present tells whether a connection is a member of this node.
func (p *presence) present(room, conn string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil {
		return false
	}
	_, ok := a.members[conn]
	return ok
}

// visited plans the next visit: when the own members need it, or when the next of the other nodes expires
// in others, which is negative where there is none.
func (p *presence) visited(room string, others time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil {
		return
	}
	if len(a.members) == 0 && len(a.leaving) == 0 && others < 0 {
		p.forget(a)
		return
	}
	next := jitter(p.refresh)
	if others >= 0 {
		others += p.refresh/20 - jitter(p.refresh/20) // many nodes see the same one expire
		if len(a.members) == 0 {
			next = others
		} else {
			next = min(next, others)
		}
	}
	p.plan(a, next+time.Millisecond)
}

// failed plans another visit after one that Redis did not answer.
func (p *presence) failed(room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.rooms[room]; a != nil {
		p.plan(a, jitter(min(p.refresh, time.Second)))
	}
}

// hurry has the rooms with members of this node visited within seconds: those whose names which picks.
func (p *presence) hurry(which func(room string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, a := range p.rooms {
		if len(a.members) > 0 && which(name) {
			p.plan(a, rand.N(min(p.refresh, hurryWithin)))
		}
	}
}

// take returns the rooms that are due, at most n, and otherwise how long it is until one is.
func (p *presence) take(n int) (rooms []string, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.agenda) > 0 && len(rooms) < n {
		v := p.agenda[0]
		if v.due.After(now) {
			return rooms, v.due.Sub(now)
		}
		heap.Pop(&p.agenda)
		if v.due.Equal(v.room.due) { // otherwise planned anew, or forgotten
			rooms = append(rooms, v.room.room)
		}
	}
	return rooms, p.refresh
}

// visit is an entry of the agenda.
type visit struct {
	room *attendance
	due  time.Time
}

// agenda is a heap of visits, the earliest first.
type agenda []visit

func (g *agenda) Len() int           { return len(*g) }
func (g *agenda) Less(i, j int) bool { return (*g)[i].due.Before((*g)[j].due) }
func (g *agenda) Swap(i, j int)      { (*g)[i], (*g)[j] = (*g)[j], (*g)[i] }
func (g *agenda) Push(v any)         { *g = append(*g, v.(visit)) }
func (g *agenda) Pop() any {
	last := len(*g) - 1
	v := (*g)[last]
	(*g)[last] = visit{}
	*g = (*g)[:last]
	return v
}
