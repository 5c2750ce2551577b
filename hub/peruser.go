package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/protocol"
)

// OnExcess says which connection the hub closes if a user has too many.
type OnExcess int

const (
	// RefuseNew closes the new connection with 1013 and a retry hint: its client tries again after 5 to 15 s. A
	// connection stops counting when either side closes it, even while its handlers run. A connection whose client has
	// vanished counts until that is noticed. So each refusal makes the hub ping the user's other connections, and close
	// those that do not answer within the heartbeat's timeout.
	RefuseNew OnExcess = iota
	// CloseOldest closes the user's oldest connections with 4102, after which their clients do not reconnect by
	// themselves.
	CloseOldest
)

// userLimit bounds a user's connections; the zero userLimit has no bound.
type userLimit struct {
	most   int
	excess OnExcess
}

// WithMaxPerUser bounds how many connections a user may have on this node. By default there is no bound. Anonymous
// connections do not count. Each other connection takes about 320 bytes more. WithMaxPerUserOverall counts over all
// nodes, and both may be given.
func WithMaxPerUser(n int, excess OnExcess) Option {
	return perUser("WithMaxPerUser", n, excess, func(c *config) *userLimit { return &c.perUserHere })
}

// WithMaxPerUserOverall bounds how many connections a user may have on all nodes together: 1 is a single session per
// user. By default there is no bound. All nodes must have the option, with the same values. Simultaneous connections
// are counted exactly.
//
// Each new connection of a user costs two questions to all nodes. With RefuseNew its welcome waits for the answers, at
// most 3 s if a node is silent. With CloseOldest it waits for the first, at most 1 s. Nodes that do not answer are not
// counted, nor are all other nodes while the broker is unreachable: an outage keeps no user out. So during a partition
// a user may have n connections on each side. They stay when it ends. The user's next connection is then decided by the
// total: it is refused, or closes all that are too many.
func WithMaxPerUserOverall(n int, excess OnExcess) Option {
	return perUser("WithMaxPerUserOverall", n, excess, func(c *config) *userLimit { return &c.perUserOverall })
}

func perUser(name string, n int, excess OnExcess, field func(*config) *userLimit) Option {
	return func(c *config) error {
		switch {
		case n <= 0:
			return fmt.Errorf("%s: %d is not positive", name, n)
		case excess != RefuseNew && excess != CloseOldest:
			return fmt.Errorf("%s: unknown OnExcess %d", name, excess)
		}
		*field(c) = userLimit{n, excess}
		return nil
	}
}

const (
	// claimsTimeout bounds a question about a user's connections, and claimTimeout all questions about one connection.
	claimsTimeout = time.Second
	claimTimeout  = 3 * time.Second
	// claimPause is how long a connection waits for others that come at the same time.
	claimPause = 5 * time.Millisecond

	// A refused client tries again after refusedFor and a random part of refusedSpread.
	refusedFor    = 5 * time.Second
	refusedSpread = 10 * time.Second
)

// limitsUsers reports whether the number of a user's connections is bounded.
func (c *config) limitsUsers() bool { return c.perUserHere.most > 0 || c.perUserOverall.most > 0 }

// claim decides whether the connection may stay beside the others of its user, or which of them have to go. If it may
// be refused, or no other node has to be asked, the decision is made when claim returns.
func (g *greeting) claim(user string) {
	c := (*Conn)(g)
	h, here, overall := c.hub, c.hub.conf.perUserHere, c.hub.conf.perUserOverall
	// Before the welcome, so that a connection that comes after it counts as later.
	h.claims.Choose(user, c.ID(), h.claimsOf(c.Context(), user))
	if asks := overall.most > 0 && !h.nodes.Alone(); !asks || here.mayRefuse() || overall.mayRefuse() {
		g.decide(user)
		return
	}
	h.life.RunFor((*endpoint)(c), func() { g.decide(user) })
}

func (l userLimit) mayRefuse() bool { return l.most > 0 && l.excess == RefuseNew }

// decide is called when the connection has its number.
func (g *greeting) decide(user string) {
	c := (*Conn)(g)
	h, id := c.hub, c.ID()
	ctx, cancel := context.WithTimeout(c.Context(), claimTimeout)
	defer cancel()
	var all []registry.Claim
	for {
		all = h.claimsOf(ctx, user)
		if _, choosing := h.claims.Before(user, id, all); !choosing {
			break
		}
		select {
		case <-time.After(claimPause):
			continue
		case <-ctx.Done(): // a node is silent about what its connections have chosen: they come later
		}
		break
	}
	before, _ := h.claims.Before(user, id, all)
	if g.keeps(user, before, h.conf.perUserOverall) {
		before, _ = h.claims.Before(user, id, h.claims.Of(user))
		g.keeps(user, before, h.conf.perUserHere)
	}
}

// keeps applies a limit to those of a user's connections that came before this one, the oldest first. It reports
// whether this one stays.
func (g *greeting) keeps(user string, before []string, l userLimit) bool {
	c := (*Conn)(g)
	excess := len(before) + 1 - l.most
	switch {
	case l.most == 0 || excess <= 0:
		return true
	case l.excess == RefuseNew:
		g.probe(user, before)
		c.closeWith(&CloseError{
			Code: protocol.CloseTryAgainLater, Reason: "too many connections", RetryAfter: refusedFor, Spread: refusedSpread,
		})
		return false
	}
	cmd := excessCommand{User: user, Conns: before[:excess]}
	commands{c.hub}.closeExcess(cmd)
	if c.hub.conf.perUserOverall.most > 0 {
		if err := c.hub.nodes.Tell(c.Context(), tellExcess, cmd); err != nil && c.Context().Err() == nil {
			c.hub.log.Warn("telling other nodes to close a user's excess connections failed", "conn", c.ID(), "err", err)
		}
	}
	return true
}

// claimsOf lists a user's connections. If the bound is overall, it includes those of all nodes that answer.
func (h *Hub) claimsOf(ctx context.Context, user string) []registry.Claim {
	all := h.claims.Of(user)
	if h.conf.perUserOverall.most == 0 || h.nodes.Alone() || h.stats.stale.Load() {
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, claimsTimeout)
	defer cancel()
	answers, err := nodes.Ask[[]registry.Claim](ctx, h.nodes, askClaims, claimsQuestion{User: user})
	gone := errors.Is(ctx.Err(), context.Canceled) // the connection ended before its question did
	if silent := nodes.Silent(answers); !gone && (err != nil || len(silent) > 0) {
		h.log.Warn("counting a user's connections failed on some nodes: they are not counted", "silent", silent, "err", err)
	}
	for _, a := range answers {
		if a.Node != h.node {
			all = append(all, a.Value...)
		}
	}
	return all
}

// probe makes the hubs ping the connections because of which this one is refused. A dead one is then noticed before the
// refused client tries again.
func (g *greeting) probe(user string, before []string) {
	c := (*Conn)(g)
	cmd := excessCommand{User: user, Conns: before}
	commands{c.hub}.probe(cmd)
	if c.hub.conf.perUserOverall.most > 0 {
		if err := c.hub.nodes.Tell(c.Context(), tellProbe, cmd); err != nil {
			c.hub.log.Debug("telling other nodes to ping a user's connections failed", "conn", c.ID(), "err", err)
		}
	}
}

// probe pings those of the connections that are on this node.
func (h commands) probe(cmd excessCommand) {
	for _, c := range h.users.Conns(cmd.User) {
		if slices.Contains(cmd.Conns, c.ID()) {
			h.beats.Probe((*pulse)(c))
		}
	}
}

// excessCommand names connections of a user that have to go, or may have to.
type excessCommand struct {
	User  string   `json:"user"`
	Conns []string `json:"conns"`
}

type claimsQuestion struct {
	User string `json:"user"`
}

// closeExcess closes those of the connections that are on this node.
func (h commands) closeExcess(cmd excessCommand) {
	why := &CloseError{Code: protocol.CloseDisconnected, Reason: "replaced by another connection"}
	for _, c := range h.users.Conns(cmd.User) {
		if id := c.ID(); slices.Contains(cmd.Conns, id) {
			c.closeWith(why)
		}
	}
}
