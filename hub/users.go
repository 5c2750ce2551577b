package hub

import "github.com/gohubkit/hubkit/internal/core/registry"

// entryOf is a connection's place in the registry.
func entryOf(c *Conn) *registry.Entry[*Conn] { return &c.entry }

// userOf is the user that a connection's identity names; empty for an anonymous one.
func userOf(c *Conn) string {
	if id := c.identity.Load(); id != nil {
		return id.user
	}
	return ""
}

// enlist adds the connection to its user's. a is when the application began to name the user.
func (g *greeting) enlist(a registry.Arrival) {
	c := (*Conn)(g)
	h, user := c.hub, c.Identity().User
	if user == "" {
		return
	}
	limited := h.conf.limitsUsers()
	if limited {
		h.claims.Begin(user, c.ID())
	}
	h.users.Add(user, c)
	c.mu.Lock()
	over := c.state.at() == closed
	c.mu.Unlock()
	if over { // teardown may have come before
		g.unlist(user)
	}
	for room, why := range h.revocations.Since(a, user) {
		switch why := why.(type) { //nolint:errorlint // it is never wrapped
		case *CloseError:
			c.closeWith(why)
		case *Error:
			c.bar(room, why)
		}
	}
	if !limited {
		return
	}
	if c.state.at() >= closing || c.state.over() { // unclaim may have come before
		g.unclaim()
		return
	}
	g.claim(user)
}

// unlist ends what enlist began.
func (g *greeting) unlist(user string) {
	c := (*Conn)(g)
	c.hub.users.Remove(user, c)
	if c.hub.conf.limitsUsers() {
		c.hub.claims.Drop(user, c.ID())
	}
}

// unclaim stops counting a connection that is about to end among its user's.
func (g *greeting) unclaim() {
	c := (*Conn)(g)
	if c.hub.conf.limitsUsers() {
		c.hub.claims.Drop(c.Identity().User, c.ID())
	}
}

// become gives the connection another identity.
func (g *greeting) become(id Identity, a registry.Arrival) {
	c := (*Conn)(g)
	g.unlist(c.Identity().User)
	before := c.identity.Swap(id.kept())
	g.enlist(a)
	(*grantee)(c).setEnd(before)
}
