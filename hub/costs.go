package hub

import (
	"errors"
	"math"

	"github.com/gohubkit/hubkit/internal/core/rate"
)

// Costs are what requests cost beyond the one message that each of them is, in messages of WithRateLimit. The cost of a
// request is known when it is done. The client then owes it, and its next frame waits as if the client had sent that
// many messages.
type Costs struct {
	// Join is for each room that a client joins, those of a hello included.
	Join float64
	// JoinPresence is for each such room with presence. The broker writes a member, and all other members are told.
	JoinPresence float64
	// Replayed is for each message that a join sends from the history. For the rooms of a hello it is zero.
	Replayed float64
	// History is for each message of a page that the client reads.
	History float64
	// Presence is for each member in an answer to presence.
	Presence float64
	// Token is for each new token that a client sends on an open connection. The token of a hello is free.
	Token float64
}

// DefaultCosts returns the default of WithCosts.
func DefaultCosts() Costs {
	return Costs{JoinPresence: 1, Replayed: 0.1, History: 0.1, Presence: 0.01, Token: 5}
}

// WithCosts sets what requests cost beyond the message that they are. Each cost is 0 to 1,000 messages. The default is
// DefaultCosts: a room with presence costs one message more, ten messages of a history one, a hundred listed members
// one, and a token five. With WithoutRateLimit no request costs anything.
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
	// owedUnit is the number of parts of a message in which debts are counted.
	owedUnit = 1000
)

// owe makes the client pay for something that it has asked for. It may be called from any goroutine.
func (c *Conn) owe(n int, each float64) {
	if n == 0 || each == 0 || !c.hub.conf.messages.Enabled() {
		return
	}
	units := uint32(min(math.Ceil(float64(n)*each*owedUnit), math.MaxUint32/4))
	for {
		before := c.messages.Own.Load()
		if c.messages.Own.CompareAndSwap(before, before+min(units, math.MaxUint32-before)) {
			return
		}
	}
}

// pay moves what is owed to the bucket.
func (i *intake) pay(l rate.Limit) {
	if i.messages.Own.Load() != 0 {
		i.messages.Owe(i.hub.now(), float64(i.messages.Own.Swap(0))/owedUnit, l)
	}
}
