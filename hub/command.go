package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/internal/core/registry"
)

// The kinds of what nodes tell and ask each other, and their bodies.
const (
	tellSend       = "send"
	tellDisconnect = "disconnect" // from nodes of an older version, which do not count
	tellExcess     = "excess"
	tellProbe      = "probe"
	askSurvey      = "survey"
	askClaims      = "claims"
	askDisconnect  = "disconnect"
	askJoin        = "join"
	askRemove      = "remove"
	// Nodes of an older version know askDisconnect by user, session or connection, and askRemove and tellSend by user, alone.
	askDisconnectRoom = "disconnect_room"
	askRemoveTarget   = "remove_target"
	tellSendTarget    = "send_target"
	askConns          = "conns"
	askRooms          = "rooms"
	askNode           = "node"
)

type surveyQuestion struct {
	Name string `json:"name"`
	Data []byte `json:"data,omitempty"` // in base64
}

// commands carries out what nodes tell and ask each other.
type commands struct{ *Hub }

// newNodes returns the exchange with the other nodes. It sends nothing until the broker starts.
func newNodes(h *Hub, bus broker.Bus) *nodes.Exchange {
	do := commands{h}
	x := nodes.New(nodes.Config{Node: h.node, Bus: bus, Context: h.ctx, Run: h.life.Run, Load: h.load, Log: h.log})
	for _, kind := range []string{tellSend, tellSendTarget} {
		nodes.HandleTell(x, kind, func(from string, c sendCommand) {
			if from != h.node { // it has sent to its own already
				do.send(c)
			}
		})
	}
	nodes.HandleTell(x, tellDisconnect, func(from string, c disconnectOrder) {
		if from != h.node {
			do.disconnect(c)
		}
	})
	for _, kind := range []string{askDisconnect, askDisconnectRoom} {
		nodes.HandleOrder(x, kind, elsewhere(h, func(c disconnectOrder) func(context.Context) (closedCount, error) {
			n := do.disconnect(c)
			return func(context.Context) (closedCount, error) { return n, nil }
		}))
	}
	nodes.HandleOrder(x, askJoin, elsewhere(h, do.join))
	nodes.HandleOrder(x, askRemove, elsewhere(h, do.remove))
	nodes.HandleOrder(x, askRemoveTarget, elsewhere(h, do.remove))
	do.answerInspections(x)
	nodes.HandleTell(x, tellExcess, func(_ string, c excessCommand) { do.closeExcess(c) })
	nodes.HandleTell(x, tellProbe, func(from string, c excessCommand) {
		if from != h.node {
			do.probe(c)
		}
	})
	nodes.HandleAsk(x, askClaims, func(_ context.Context, _ string, q claimsQuestion) ([]registry.Claim, error) {
		return do.claims.Of(q.User), nil
	})
	nodes.HandleAsk(x, askSurvey, func(ctx context.Context, _ string, q surveyQuestion) (json.RawMessage, error) {
		return do.survey(ctx, q)
	})
	return x
}

// elsewhere does nothing for this node's own orders: they were carried out before the others were asked.
func elsewhere[Q, A any](h *Hub, f func(Q) func(context.Context) (A, error)) func(string, Q) func(context.Context) (A, error) {
	return func(from string, q Q) func(context.Context) (A, error) {
		if from == h.node {
			return func(context.Context) (a A, err error) { return a, nil }
		}
		return f(q)
	}
}

// unanswered joins err and what each node failed to do for an order.
func unanswered[A any](answers []nodes.Answer[A], err error) error {
	errs := []error{err}
	for _, a := range answers {
		switch {
		case errors.Is(a.Err, nodes.ErrNoAnswer):
			errs = append(errs, fmt.Errorf("hub: node %s: %w", a.Node, ErrNoAnswer))
		case a.Err != nil:
			errs = append(errs, fmt.Errorf("hub: node %s: %w", a.Node, a.Err))
		}
	}
	return errors.Join(errs...)
}

// Command implements broker.Receiver.
func (x receiver) Command(from string, payload []byte) { x.h.nodes.Receive(from, payload) }
