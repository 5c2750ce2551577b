package registry

import (
	"cmp"
	"slices"
	"sync"
)

// Claims counts the connections of users with a maximum number of connections, over several nodes. Each node has Claims of its
// own, and asks the others. The count is exact, even if several connections of a user arrive at once, and no clock decides. It
// is Lamport's bakery algorithm: a connection is listed, asks for all others of the user, and takes a number above theirs. It
// then asks again. A later connection takes a greater number, so all nodes agree on the order. A connection that is still
// about to take a number must be waited for.
//
// Its methods may be called from several goroutines.
type Claims struct {
	mu    sync.Mutex
	users map[string]map[string]uint64 // by the connection's name: its number
}

// Claim is a connection of a user, in the form that nodes exchange.
type Claim struct {
	Conn string `json:"conn"`
	// Number is zero before the connection has taken one.
	Number uint64 `json:"number,omitempty"`
}

func (c Claim) compare(d Claim) int {
	return cmp.Or(cmp.Compare(c.Number, d.Number), cmp.Compare(c.Conn, d.Conn))
}

// Begin lists a connection, which has no number yet.
func (c *Claims) Begin(user, conn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil {
		c.users = make(map[string]map[string]uint64)
	}
	if c.users[user] == nil {
		c.users[user] = make(map[string]uint64, 1)
	}
	c.users[user][conn] = 0
}

// Of lists a user's connections.
func (c *Claims) Of(user string) []Claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Claim, 0, len(c.users[user]))
	for conn, number := range c.users[user] {
		list = append(list, Claim{Conn: conn, Number: number})
	}
	return list
}

// Choose gives a connection a number above those of the others. A connection that is not listed is left alone.
func (c *Claims) Choose(user, conn string, others []Claim) {
	most := uint64(0)
	for _, o := range others {
		most = max(most, o.Number)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.users[user][conn]; ok {
		c.users[user][conn] = most + 1
	}
}

// Before returns the user's connections before one that has its number, oldest first. choosing reports whether others have no
// number yet. all may include the connection itself.
func (c *Claims) Before(user, conn string, all []Claim) (before []string, choosing bool) {
	c.mu.Lock()
	own := Claim{Conn: conn, Number: c.users[user][conn]}
	c.mu.Unlock()
	var first []Claim
	for _, o := range all {
		switch {
		case o.Conn == conn:
		case o.Number == 0:
			choosing = true
		case o.compare(own) < 0:
			first = append(first, o)
		}
	}
	slices.SortFunc(first, Claim.compare)
	for _, o := range first {
		before = append(before, o.Conn)
	}
	return before, choosing
}

// Drop ends what Begin began. A connection that is not listed is left alone.
func (c *Claims) Drop(user, conn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.users[user], conn); len(c.users[user]) == 0 {
		delete(c.users, user)
	}
}

// Len returns the number of listed connections.
func (c *Claims) Len() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conns := range c.users {
		n += len(conns)
	}
	return n
}
