package registry

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestConns adds, removes and looks up connections in any order, beside a plain list of them.
func TestConns(t *testing.T) {
	r := NewConns(entryOf)
	var there []*peer
	var gone []uint64
	rng := rand.New(rand.NewPCG(1, 2))
	for num := uint64(1); num < 5000; num++ {
		if len(there) == 0 || rng.IntN(100) < 52 {
			p := &peer{}
			p.entry.Num = num
			r.Add(p)
			there = append(there, p)
		} else {
			i := rng.IntN(len(there))
			gone = append(gone, there[i].entry.Token())
			r.Remove(there[i])
			there = slices.Delete(there, i, i+1)
		}
		if r.Len() != len(there) || r.Slots() < r.Len() {
			t.Fatalf("%d connections in %d places, want %d", r.Len(), r.Slots(), len(there))
		}
	}
	for _, p := range there {
		if got := r.Find(p.entry.Token()); got != p {
			t.Fatalf("the token of number %d finds %v", p.entry.Num, got)
		}
	}
	for _, token := range append(gone, 1<<20) {
		if got := r.Find(token); got != nil {
			t.Fatalf("the token of a connection that is gone finds number %d", got.entry.Num)
		}
	}
	all := r.All()
	for _, p := range there {
		if !slices.Contains(all, p) {
			t.Fatalf("number %d is not in All", p.entry.Num)
		}
	}
	if len(all) != len(there) {
		t.Fatalf("All lists %d of %d", len(all), len(there))
	}
	for _, p := range there {
		r.Remove(p)
	}
	if r.Len() != 0 || r.Slots() != 0 {
		t.Errorf("empty, there are %d in %d places", r.Len(), r.Slots())
	}
}

// TestConnsSome: rounds of any size visit every connection, and a visit that is cut short goes on with the same one.
func TestConnsSome(t *testing.T) {
	r := NewConns(entryOf)
	for num := range 100 {
		p := &peer{}
		p.entry.Num = uint64(num)
		r.Add(p)
	}
	seen := make(map[uint64]int)
	next, refused := 0, false
	for range 30 {
		next = r.Some(next, 7, func(p *peer) bool {
			if p.entry.Num == 10 && !refused {
				refused = true
				return false
			}
			seen[p.entry.Num]++
			return true
		})
	}
	for num := range uint64(100) {
		if seen[num] == 0 {
			t.Errorf("number %d was not visited", num)
		}
	}
}

// TestUsers links and unlinks connections of few users, first, last and in the middle.
func TestUsers(t *testing.T) {
	u := NewUsers(entryOf)
	there := make(map[string][]*peer)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		user := strconv.Itoa(rng.IntN(5))
		if conns := there[user]; len(conns) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(conns))
			u.Remove(user, conns[i])
			u.Remove(user, conns[i]) // a second time it is not the user's
			there[user] = slices.Delete(conns, i, i+1)
		} else {
			p := &peer{}
			u.Add(user, p)
			there[user] = append(conns, p)
		}
		got := u.Conns(user)
		for _, p := range there[user] {
			if !slices.Contains(got, p) {
				t.Fatalf("a connection of user %s is not found", user)
			}
		}
		if len(got) != len(there[user]) {
			t.Fatalf("user %s has %d connections, want %d", user, len(got), len(there[user]))
		}
	}
	for user, conns := range there {
		for _, p := range conns {
			u.Remove(user, p)
		}
	}
	if n := u.Len(); n != 0 {
		t.Errorf("%d users without a connection", n)
	}
}

// TestNobody: the anonymous are nobody's connections.
func TestNobody(t *testing.T) {
	u := NewUsers(entryOf)
	p := &peer{}
	u.Add("", p)
	called := false
	u.With("", func() { called = true })
	if got := u.Conns(""); got != nil || u.Len() != 0 || !called {
		t.Errorf("the empty name has %d connections, With called: %t", len(got), called)
	}
	u.Remove("", p)
}
