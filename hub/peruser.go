package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/protocol"
)

// OnExcess says which connection of a user goes if there are too many.
type OnExcess int

const (
	// RefuseNew closes the new connection with 1013 and a hint: its client comes back after 5 to 15 s, and may find a place
	// then. A connection does not count from when either side closes it, whatever its handlers still do. One whose client has
	// gone without a word counts until that is found out: a refusal has the others pinged, and one that does not answer
	// within the heartbeat's timeout is closed.
	RefuseNew OnExcess = iota
	// CloseOldest closes the user's oldest connections with 4102, so that their clients do not come back by themselves.
	CloseOldest
)

// userLimit is how many connections a user may have; the zero userLimit is none.
type userLimit struct {
	most   int
	excess OnExcess
}

// WithMaxPerUser bounds how many connections a user may have on this node. By default there is no bound. Anonymous
// connections are not counted, and each other one takes about 320 bytes more. WithMaxPerUserOverall counts over all nodes;
// both may be given.
func WithMaxPerUser(n int, excess OnExcess) Option {
	return perUser("WithMaxPerUser", n, excess, func(c *config) *userLimit { return &c.perUserHere })
}

// WithMaxPerUserOverall bounds how many connections a user may have on all nodes together: 1 is a single session per user. By
// default there is no bound. All nodes must have the option, with the same values. Connections that come at once are counted
// exactly.
//
// Each new connection of a user costs two questions to all nodes. With RefuseNew its welcome waits for the answers, up to 3 s
// if a node is silent; with CloseOldest it waits for the first, up to 1 s. Nodes that do not answer, and all others while the
// broker cannot be reached, are not counted: nobody is kept out by an outage. So during a partition a user may have n connections
// on each side of it. They stay when it ends, and the user's next connection is decided by the count of all: it is refused, or closes all
// that are too many.
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
	// claimsTimeout bounds a question about a user's connections, and claimTimeout what is asked about one connection.
	claimsTimeout = time.Second
	claimTimeout  = 3 * time.Second
	// claimPause is how long a connection waits for others that come at the same time.
	claimPause = 5 * time.Millisecond

	// A client that was refused comes back after refusedFor, and a random part of refusedSpread.
	refusedFor    = 5 * time.Second
	refusedSpread = 10 * time.Second
)

// limitsUsers reports whether users may only have so many connections.
func (c *config) limitsUsers() bool { return c.perUserHere.most > 0 || c.perUserOverall.most > 0 }

// claim decides whether the connection may stay beside the others of its user, or which of them have to go. If it may be
// refused, or no other node has to be asked, the decision is made when claim returns.
func (g *greeting) claim(user string) {
	c := (*Conn)(g)
	h, here, overall := c.hub, c.hub.conf.perUserHere, c.hub.conf.perUserOverall
	// At once, so that a connection which comes after the welcome of this one counts as later.
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

// keeps does what a limit says about those of a user's connections that came before this one, the oldest first. It reports
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
		if err := c.hub.nodes.Tell(c.Context(), tellExcess, cmd); err != nil {
			c.hub.log.Warn("too many connections of a user: other nodes could not be told", "conn", c.ID(), "err", err)
		}
	}
	return true
}

// claimsOf lists a user's connections, on all nodes that answer if they count.
func (h *Hub) claimsOf(ctx context.Context, user string) []registry.Claim {
	all := h.claims.Of(user)
	if h.conf.perUserOverall.most == 0 || h.nodes.Alone() || h.stats.stale.Load() {
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, claimsTimeout)
	defer cancel()
	answers, err := nodes.Ask[[]registry.Claim](ctx, h.nodes, askClaims, claimsQuestion{User: user})
	if silent := nodes.Silent(answers); h.ctx.Err() == nil && (err != nil || len(silent) > 0) {
		h.log.Warn("not all nodes have said which connections a user has", "silent", silent, "err", err)
	}
	for _, a := range answers {
		if a.Node != h.node {
			all = append(all, a.Value...)
		}
	}
	return all
}

// probe has the connections pinged for which this one is refused: one whose client has gone without a word is found out before
// the client that was refused comes back.
func (g *greeting) probe(user string, before []string) {
	c := (*Conn)(g)
	cmd := excessCommand{User: user, Conns: before}
	commands{c.hub}.probe(cmd)
	if c.hub.conf.perUserOverall.most > 0 {
		if err := c.hub.nodes.Tell(c.Context(), tellProbe, cmd); err != nil {
			c.hub.log.Debug("connections of a user on other nodes could not be probed", "conn", c.ID(), "err", err)
		}
	}
}

// probe pings those of the connections that are here.
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

// closeExcess closes those of the connections that are here.
func (h commands) closeExcess(cmd excessCommand) {
	why := &CloseError{Code: protocol.CloseDisconnected, Reason: "replaced by another connection"}
	for _, c := range h.users.Conns(cmd.User) {
		if id := c.ID(); slices.Contains(cmd.Conns, id) {
			c.closeWith(why)
		}
	}
}
