// Package drain plans when a node closes each connection during a drain, and the retry hint of each client.
//
// A draining node asks which nodes remain and how fast they admit ([Ask]). It makes a [Plan] from that, and closes its
// connections by the plan. A client that arrives during the drain gets the hint of that moment ([Drain.Hint]).
package drain

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

const (
	// DefaultRate is the assumed rate of a node that states none, in new connections a second. A hub accepts many times as
	// many, but the service behind its authenticator may not.
	DefaultRate = 1000
	// askTimeout bounds the question for the other nodes. Without an answer the node assumes that it is alone.
	askTimeout = time.Second
)

// Successors are the nodes that take over a node's connections.
type Successors struct {
	Rate     float64 // new connections a second that they admit together
	Stated   bool    // by all of them; else Rate is in part a guess
	Capacity int     // connections that they still take; negative if one of them has no bound
}

// Alone returns the successors of a node without other nodes: the node that replaces it, with the same rate.
func Alone(rate float64) Successors { return Successors{Rate: rate, Capacity: -1} }

// Fleet lists the nodes alive.
type Fleet interface {
	Nodes(ctx context.Context) ([]broker.Node, error)
}

// Ask asks the fleet for the nodes other than self. It leaves out nodes that drain, and nodes silent for longer than silent.
// It blocks for at most 1 s. If there are none, or the fleet does not answer, the result is Alone(own). The error says
// why the fleet did not answer.
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
