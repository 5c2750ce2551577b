package registry

import (
	"hash/maphash"
	"sync"
)

// shards is how many locks users share.
const shards = 64

// Users finds the connections of a user. Connections of one user are linked to each other, so that the usual case of one
// each costs a map entry and no more. Its methods may be called from several goroutines. The empty name is nobody's.
type Users[C comparable] struct {
	entry  func(C) *Entry[C]
	seed   maphash.Seed
	shards [shards]userShard[C]
}

type userShard[C comparable] struct {
	mu   sync.Mutex
	head map[string]C
}

// NewUsers makes an empty Users. entry returns the Entry inside a connection.
func NewUsers[C comparable](entry func(C) *Entry[C]) *Users[C] {
	u := &Users[C]{entry: entry, seed: maphash.MakeSeed()}
	for i := range u.shards {
		u.shards[i].head = make(map[string]C)
	}
	return u
}

func (u *Users[C]) shard(user string) *userShard[C] {
	return &u.shards[maphash.String(u.seed, user)%shards]
}

// Add makes a connection one of its user's.
func (u *Users[C]) Add(user string, c C) {
	if user == "" {
		return
	}
	s := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	u.entry(c).nextOfUser = s.head[user]
	s.head[user] = c
}

// Remove is the end of what Add began. A connection that is not the user's is left alone.
func (u *Users[C]) Remove(user string, c C) {
	if user == "" {
		return
	}
	s := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	var none, before C
	for at := s.head[user]; at != none; before, at = at, u.entry(at).nextOfUser {
		if at != c {
			continue
		}
		next := u.entry(c).nextOfUser
		switch {
		case before != none:
			u.entry(before).nextOfUser = next
		case next != none:
			s.head[user] = next
		default:
			delete(s.head, user)
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
	s := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Conns returns the user's connections of this moment.
func (u *Users[C]) Conns(user string) []C {
	if user == "" {
		return nil
	}
	s := u.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	var none C
	var out []C
	for c := s.head[user]; c != none; c = u.entry(c).nextOfUser {
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
		n += len(s.head)
		s.mu.Unlock()
	}
	return n
}
