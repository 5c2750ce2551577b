package hub

import (
	"errors"
	"math"

	"github.com/gohubkit/hubkit/internal/core/rate"
)

// Costs are what requests cost beyond the one message that each of them is, in messages of WithRateLimit. What a request costs
// is known when it is done: it is owed, and what the client sends next waits for it as if it had sent so many messages.
type Costs struct {
	// Join is for each room that a client joins, those of a hello included.
	Join float64
	// JoinPresence is for each such room with presence: the broker writes a member, and all others hear of it.
	JoinPresence float64
	// Replayed is for each message that a join sends from the history. The rooms of a hello are free of it.
	Replayed float64
	// History is for each message of a page that the client reads.
	History float64
	// Presence is for each member in an answer to presence.
	Presence float64
	// Token is for each new token in place, which the token verifier is asked about. That of a hello is free of it.
	Token float64
}

// DefaultCosts are the costs without WithCosts.
func DefaultCosts() Costs {
	return Costs{JoinPresence: 1, Replayed: 0.1, History: 0.1, Presence: 0.01, Token: 5}
}

// WithCosts sets what requests cost beside the message that they are. The default is DefaultCosts: a room with presence costs one
// message more, ten messages of a history one, a hundred listed members one, and a token five. Each cost is 0 to 1,000. Without a rate
// limit nothing costs anything.
func WithCosts(costs Costs) Option {
	return func(c *config) error {
		for _, each := range []float64{costs.Join, costs.JoinPresence, costs.Replayed, costs.History, costs.Presence, costs.Token} {
			if !(each >= 0 && each <= maxCost) {
				return errors.New("WithCosts: each cost must be 0 to 1000 messages")
			}
		}
		c.costs = costs
		return nil
	}
}

func (c *Costs) ofJoin(presence bool) float64 {
	if presence {
		return c.Join + c.JoinPresence
	}
	return c.Join
}

const (
	maxCost = 1000
	// owedUnit is a part of a message, in which what is owed is counted.
	owedUnit = 1000
)

// owe has the client pay for something that it has asked for. It may be called from any goroutine.
func (c *Conn) owe(n int, each float64) {
	if n == 0 || each == 0 || !c.hub.conf.messages.Enabled() {
		return
	}
	units := uint32(min(math.Ceil(float64(n)*each*owedUnit), math.MaxUint32/4))
	for {
		before := c.owed.Load()
		if c.owed.CompareAndSwap(before, before+min(units, math.MaxUint32-before)) {
			return
		}
	}
}

// pay moves what is owed to the bucket.
func (i *intake) pay(l rate.Limit) {
	if i.owed.Load() != 0 {
		i.messages.Owe(i.hub.now(), float64(i.owed.Swap(0))/owedUnit, l)
	}
}
