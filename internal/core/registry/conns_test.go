package registry

import (
	"math"
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
	u := NewUsers(entryOf, userOf)
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
			p := &peer{user: user}
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

// TestManyUsers: a table that grows and shrinks finds every user, also among names with the same tag, and nothing is left of it
// at the end.
func TestManyUsers(t *testing.T) {
	u := NewUsers(entryOf, userOf)
	rng := rand.New(rand.NewPCG(7, 8))
	var there []*peer
	for step := range 60000 {
		grows := step%20000 < 12000
		if len(there) == 0 || rng.IntN(10) < 8 == grows {
			p := &peer{user: strconv.Itoa(step)}
			u.Add(p.user, p)
			there = append(there, p)
			continue
		}
		i := rng.IntN(len(there))
		u.Remove(there[i].user, there[i])
		if got := u.Conns(there[i].user); got != nil {
			t.Fatalf("user %s, who is gone, has %d connections", there[i].user, len(got))
		}
		there[i] = there[len(there)-1]
		there = there[:len(there)-1]
		if u.Len() != len(there) {
			t.Fatalf("%d users, want %d", u.Len(), len(there))
		}
		if step%1000 != 0 {
			continue
		}
		for _, p := range there {
			if got := u.Conns(p.user); len(got) != 1 || got[0] != p {
				t.Fatalf("user %s has connections %v", p.user, got)
			}
		}
	}
	for _, p := range there {
		u.Remove(p.user, p)
	}
	for i := range u.shards {
		if s := &u.shards[i].table; s.n != 0 || s.heads != nil {
			t.Fatalf("%d entries are left in %d places", s.n, len(s.heads))
		}
	}
}

// TestUserTags: entries that share a tag, or whose homes are at the end of the table, are told apart, found and removed in any order.
func TestUserTags(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 300 {
		var table userTable[*peer]
		tags := make(map[*peer]uint32)
		var there []*peer
		at := func(p *peer) int { return table.find(tags[p], func(q *peer) bool { return p == q }) }
		for range 200 {
			if len(there) == 0 || rng.IntN(5) < 3 {
				p := new(peer)
				tags[p] = math.MaxUint32 - uint32(rng.IntN(6))<<(4*rng.IntN(8))
				table.add(tags[p], p)
				there = append(there, p)
			} else {
				i := rng.IntN(len(there))
				gone := there[i]
				table.remove(at(gone))
				there = slices.Delete(there, i, i+1)
				if at(gone) >= 0 {
					t.Fatal("an entry is there after its removal")
				}
			}
			for _, p := range there {
				if at := at(p); at < 0 || table.heads[at] != p {
					t.Fatalf("of %d entries one is not found", len(there))
				}
			}
		}
	}
}

// TestNobody: the anonymous are nobody's connections.
func TestNobody(t *testing.T) {
	u := NewUsers(entryOf, userOf)
	p := &peer{}
	u.Add("", p)
	called := false
	u.With("", func() { called = true })
	if got := u.Conns(""); got != nil || u.Len() != 0 || !called {
		t.Errorf("the empty name has %d connections, With called: %t", len(got), called)
	}
	u.Remove("", p)
}

// TestConnsPage: pages of any size visit a connection that stays exactly once, whoever comes and goes meanwhile, and end.
func TestConnsPage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		r := NewConns(entryOf)
		num := uint64(0)
		add := func() *peer {
			num++
			p := &peer{}
			p.entry.Num = num
			r.Add(p)
			return p
		}
		var stay, others []*peer
		for range rng.IntN(300) {
			if p := add(); rng.IntN(2) == 0 {
				stay = append(stay, p)
			} else {
				others = append(others, p)
			}
		}
		seen := make(map[*peer]int)
		var page []*peer
		for at, more := 0, true; more; more = at != 0 {
			page, at = r.Page(page[:0], at, 1+rng.IntN(20))
			for _, p := range page {
				seen[p]++
			}
			for range rng.IntN(5) {
				if i := rng.IntN(len(others) + 1); i < len(others) {
					r.Remove(others[i])
					others = slices.Delete(others, i, i+1)
				} else if num < 2000 {
					others = append(others, add())
				}
			}
		}
		for _, p := range stay {
			if seen[p] != 1 {
				t.Fatalf("number %d was visited %d times", p.entry.Num, seen[p])
			}
		}
		for p, n := range seen {
			if n != 1 {
				t.Fatalf("number %d was visited %d times", p.entry.Num, n)
			}
		}
	}
}
