package hub

import (
	"hash/maphash"
	"sync"
)

const shards = 64

var seed = maphash.MakeSeed()

func shard(name string) int { return int(maphash.String(seed, name) % shards) }

// users finds the connections of a user. Connections of one user are linked to each other, so that the
// usual case of one each costs a map entry and no more.
type users struct {
	shards [shards]struct {
		mu   sync.Mutex
		head map[string]*Conn
	}
}

func (u *users) init() {
	for i := range u.shards {
		u.shards[i].head = make(map[string]*Conn)
	}
}

func (u *users) add(user string, c *Conn) {
	s := &u.shards[shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	c.nextOfUser = s.head[user]
	s.head[user] = c
}

// enlist makes the connection one of its user's, whom the application has named since a.
func (c *Conn) enlist(a arrival) {
	h, user := c.hub, c.Identity().User
	if user == "" {
		return
	}
	h.users.add(user, c)
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	if ended { // teardown may have come before
		h.users.remove(user, c)
	}
	if why := h.evictions.after(a, user); why != nil {
		c.shut(why)
	}
}

// become gives the connection another identity.
func (c *Conn) become(id Identity, a arrival) {
	c.hub.users.remove(c.Identity().User, c)
	c.identity.Store(&id)
	c.enlist(a)
}

func (u *users) remove(user string, c *Conn) {
	if user == "" {
		return
	}
	s := &u.shards[shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, o := (*Conn)(nil), s.head[user]; o != nil; at, o = o, o.nextOfUser {
		switch {
		case o != c:
			continue
		case at != nil:
			at.nextOfUser = c.nextOfUser
		case c.nextOfUser != nil:
			s.head[user] = c.nextOfUser
		default:
			delete(s.head, user)
		}
		c.nextOfUser = nil
		return
	}
}

// greet calls welcome, which welcomes one of the user's connections. Who has seen the welcome is greeted for those
// who ask for the user's connections.
func (u *users) greet(user string, welcome func()) {
	if user == "" {
		welcome()
		return
	}
	s := &u.shards[shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	welcome()
}

// conns returns the user's connections of this moment.
func (u *users) conns(user string) []*Conn {
	s := &u.shards[shard(user)]
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Conn
	for c := s.head[user]; c != nil; c = c.nextOfUser {
		out = append(out, c)
	}
	return out
}

func (u *users) len() int {
	n := 0
	for i := range u.shards {
		s := &u.shards[i]
		s.mu.Lock()
		n += len(s.head)
		s.mu.Unlock()
	}
	return n
}
