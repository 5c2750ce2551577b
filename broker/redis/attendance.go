package redis

import (
	"container/heap"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// hurryWithin spreads the visits that follow a reconnect.
	hurryWithin = 2 * time.Second
	// mendWithin is when a room is visited whose members Redis has lost.
	mendWithin = 100 * time.Millisecond
	// mendWindow is how long other nodes have for that, those that connect again too. It is at most a refresh.
	mendWindow = 5 * time.Second
)

// presence is what this node keeps alive in Redis: its members, by room, and when each room is due for a
// visit. Redis may lose all of it, and gets it back from here.
type presence struct {
	refresh time.Duration
	wake    chan struct{} // something is due earlier than thought

	mu    sync.Mutex
	rooms map[string]*attendance
	deaths
	agenda
}

type attendance struct {
	room    string
	members map[string]member // by connection
	leaving map[string]string // connections that Redis may still list, with their JSON if they were announced
	told    int               // members that were announced
	begun   int               // calls of Enter under way
	version int               // how often the members have changed
	others  []string          // owners that have members here, as far as this node has heard
	due     time.Time
	mending sync.Mutex
}

// member is one connection of this node.
type member struct {
	json string
	told bool // Redis had it, and has announced it
}

// register is the members of this node in a room, at one moment.
type register struct {
	members map[string]member
	leaving map[string]string
	version int
	idle    bool // no call of Enter is under way
}

func newPresence(refresh time.Duration) *presence {
	return &presence{refresh: refresh, wake: make(chan struct{}, 1), rooms: make(map[string]*attendance)}
}

// room returns the attendance of a room, a new one if need be. The caller holds the lock.
func (p *presence) room(name string) *attendance {
	a := p.rooms[name]
	if a == nil {
		a = &attendance{room: name, members: make(map[string]member), leaving: make(map[string]string)}
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

// enter notes a member that is about to be announced, until entered. It tells whether others were.
func (p *presence) enter(room, conn, json string) (a *attendance, others bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a = p.room(room)
	others = a.told > 0
	a.members[conn] = member{json: json, told: a.members[conn].told}
	delete(a.leaving, conn)
	a.begun++
	a.version++
	return a, others
}

// entered is the end of what enter began.
func (p *presence) entered(a *attendance, conn string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.begun--
	a.version++
	if err == nil {
		a.tell(conn)
	}
}

// tell notes that a member was announced. The caller holds the lock.
func (a *attendance) tell(conn string) {
	if m, ok := a.members[conn]; ok && !m.told {
		m.told = true
		a.members[conn] = m
		a.told++
	}
}

// announced notes that members were.
func (p *presence) announced(room string, conns []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.rooms[room]; a != nil {
		for _, conn := range conns {
			a.tell(conn)
		}
	}
}

// buried notes that all members of a room were announced as gone.
func (p *presence) buried(room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil {
		return
	}
	for conn, m := range a.members {
		m.told = false
		a.members[conn] = m
	}
	a.told = 0
}

// leave tells whether the member was there, and its JSON if it was announced.
func (p *presence) leave(room, conn string) (json string, was bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil {
		return "", false
	}
	m, ok := a.members[conn]
	if !ok {
		return "", false
	}
	if m.told {
		a.told--
		json = m.json
	}
	delete(a.members, conn)
	a.leaving[conn] = json
	a.version++
	return json, true
}

// left notes that Redis does not list a member any more.
func (p *presence) left(room, conn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.rooms[room]; a != nil {
		delete(a.leaving, conn)
	}
}

// owns tells whether members of this node were announced in a room.
func (p *presence) owns(room string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	return a != nil && a.told > 0
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
func (p *presence) snapshot(room string) register {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil {
		return register{}
	}
	return register{maps.Clone(a.members), maps.Clone(a.leaving), a.version, a.begun == 0}
}

// same tells whether a snapshot is still true.
func (p *presence) same(room string, r *register) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	return a != nil && r.idle && a.version == r.version
}

// know sets which other owners have members in a room, as a visit has found.
func (p *presence) know(room string, others []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.rooms[room]; a != nil {
		a.others = others
	}
}

// heard notes that another owner has members in a room, or none any more.
func (p *presence) heard(room, owner string, has bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rooms[room]
	if a == nil && !has {
		return
	}
	a = p.room(room)
	a.others = slices.DeleteFunc(slices.Clone(a.others), func(o string) bool { return o == owner })
	if has {
		a.others = append(a.others, owner)
	}
}

// known lists the owners that have members in a room and are not known to have died, for the script that lists members.
func (p *presence) known(room string, ttl time.Duration) string {
	dead := p.dead(ttl)
	p.mu.Lock()
	defer p.mu.Unlock()
	var list strings.Builder
	if a := p.rooms[room]; a != nil {
		for _, o := range a.others {
			if !slices.Contains(dead, o) {
				list.WriteString(o + "\x00")
			}
		}
	}
	return list.String()
}

// soon has a room visited within moments.
func (p *presence) soon(room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.rooms[room]; a != nil && time.Until(a.due) > mendWithin {
		p.plan(a, rand.N(mendWithin))
	}
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

// visited plans the next visit: after a refresh, or when the next of the other nodes expires in others, which is negative if
// there is none. A room with members of other nodes only is visited as often: that nobody could reach Redis must be told from
// that nobody was there.
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
		next = min(next, others)
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
