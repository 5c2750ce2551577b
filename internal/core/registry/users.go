package registry

import (
	"hash/maphash"
	"sync"
)

// shards is how many locks users share.
const shards = 64

// Users finds the connections of a user. Connections of one user are linked to each other, and a table has the first of them: the
// usual case of one each costs an entry of 12 bytes and no more. The name is not in the table; the connection knows it. Its
// methods may be called from several goroutines. The empty name is nobody's.
type Users[C comparable] struct {
	entry  func(C) *Entry[C]
	name   func(C) string
	seed   maphash.Seed
	shards [shards]userShard[C]
}

type userShard[C comparable] struct {
	mu    sync.Mutex
	table userTable[C]
}

// NewUsers makes an empty Users. entry returns the Entry inside a connection, and name its user, which must stay the same from
// Add to Remove.
func NewUsers[C comparable](entry func(C) *Entry[C], name func(C) string) *Users[C] {
	return &Users[C]{entry: entry, name: name, seed: maphash.MakeSeed()}
}

// shard returns where a user is, and the user's tag in the table there.
func (u *Users[C]) shard(user string) (s *userShard[C], tag uint32) {
	h := maphash.String(u.seed, user)
	return &u.shards[h%shards], uint32(h >> 32)
}

// head returns the place of a user in a shard's table; -1 if there is none. It is called with the shard's mutex held.
func (u *Users[C]) head(s *userShard[C], tag uint32, user string) int {
	return s.table.find(tag, func(c C) bool { return u.name(c) == user })
}

// Add makes a connection one of its user's.
func (u *Users[C]) Add(user string, c C) {
	if user == "" {
		return
	}
	s, tag := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := u.head(s, tag, user); at >= 0 {
		u.entry(c).nextOfUser = s.table.heads[at]
		s.table.heads[at] = c
		return
	}
	s.table.add(tag, c)
}

// Remove is the end of what Add began. A connection that is not the user's is left alone.
func (u *Users[C]) Remove(user string, c C) {
	if user == "" {
		return
	}
	s, tag := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	place := u.head(s, tag, user)
	if place < 0 {
		return
	}
	var none, before C
	for at := s.table.heads[place]; at != none; before, at = at, u.entry(at).nextOfUser {
		if at != c {
			continue
		}
		next := u.entry(c).nextOfUser
		switch {
		case before != none:
			u.entry(before).nextOfUser = next
		case next != none:
			s.table.heads[place] = next
		default:
			s.table.remove(place)
		}
		u.entry(c).nextOfUser = none
		return
	}
}

// With calls f while nobody is told of the user's connections.
func (u *Users[C]) With(user string, f func()) {
	if user == "" {
		f()
		return
	}
	s, _ := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Conns returns the user's connections of this moment.
func (u *Users[C]) Conns(user string) []C {
	if user == "" {
		return nil
	}
	s, tag := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := u.head(s, tag, user)
	if at < 0 {
		return nil
	}
	var none C
	var out []C
	for c := s.table.heads[at]; c != none; c = u.entry(c).nextOfUser {
		out = append(out, c)
	}
	return out
}

// Len is how many users have a connection.
func (u *Users[C]) Len() int {
	n := 0
	for i := range u.shards {
		s := &u.shards[i]
		s.mu.Lock()
		n += s.table.n
		s.mu.Unlock()
	}
	return n
}
