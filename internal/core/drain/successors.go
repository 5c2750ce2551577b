// Package drain plans how a node sends its clients away, and what it tells each of them about when to come back.
//
// A node that leaves asks which nodes remain and how fast they admit ([Ask]), makes a [Plan] from that, and closes its
// connections by the plan. Clients that arrive meanwhile are told what the plan says of that moment ([Drain.Hint]).
package drain

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

const (
	// DefaultRate stands in for a node that states no rate, in new connections a second. A hub accepts many times as many;
	// what its authenticator asks may not.
	DefaultRate = 1000
	// askTimeout bounds the question who else is there. Without an answer a guess has to do.
	askTimeout = time.Second
)

// Successors are the nodes that take over a node's connections.
type Successors struct {
	Rate     float64 // new connections a second that they admit together
	Stated   bool    // by all of them; else Rate is in part a guess
	Capacity int     // connections that they still take; negative if one of them has no bound
}

// Alone is a node that has no other beside it: it answers for the node that replaces it.
func Alone(rate float64) Successors { return Successors{Rate: rate, Capacity: -1} }

// Fleet lists the nodes alive.
type Fleet interface {
	Nodes(ctx context.Context) ([]broker.Node, error)
}

// Ask asks the fleet for the nodes other than self that neither drain nor have been silent for longer than silent. It
// blocks for at most a second. If there are none, or it does not answer, the result is Alone(own); the error says
// why the others are not known.
func Ask(ctx context.Context, fleet Fleet, self string, own float64, silent time.Duration) (Successors, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	nodes, err := fleet.Nodes(ctx)
	if err != nil {
		return Alone(own), err
	}
	to, found := Successors{Stated: true}, false
	for _, n := range nodes {
		if n.ID == self || n.Draining || time.Since(n.Seen) > silent {
			continue
		}
		found = true
		to = to.with(n.NodeInfo)
	}
	if !found {
		return Alone(own), nil
	}
	return to, nil
}

func (to Successors) with(n broker.NodeInfo) Successors {
	if n.AdmitRate > 0 {
		to.Rate += n.AdmitRate
	} else {
		to.Rate += DefaultRate
		to.Stated = false
	}
	if n.Capacity == 0 {
		to.Capacity = -1
	} else if to.Capacity >= 0 {
		to.Capacity += max(0, n.Capacity-n.Conns)
	}
	return to
}
