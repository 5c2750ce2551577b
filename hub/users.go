package hub

import "github.com/gohubkit/hubkit/internal/core/registry"

// entryOf is a connection's place in the registry.
func entryOf(c *Conn) *registry.Entry[*Conn] { return &c.entry }

// enlist makes the connection one of its user's, whom the application has named since a.
func (g *greeting) enlist(a registry.Arrival) {
	c := (*Conn)(g)
	h, user := c.hub, c.Identity().User
	if user == "" {
		return
	}
	h.users.Add(user, c)
	c.mu.Lock()
	over := c.state.at() == closed
	c.mu.Unlock()
	if over { // teardown may have come before
		h.users.Remove(user, c)
	}
	for room, why := range h.revocations.Since(a, user) {
		switch why := why.(type) { //nolint:errorlint // nobody wraps it
		case *CloseError:
			c.closeWith(why)
		case *Error:
			c.bar(room, why)
		}
	}
}

// become gives the connection another identity.
func (g *greeting) become(id Identity, a registry.Arrival) {
	c := (*Conn)(g)
	c.hub.users.Remove(c.Identity().User, c)
	before := c.identity.Swap(id.kept())
	g.enlist(a)
	(*grantee)(c).setEnd(before)
}
