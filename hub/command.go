package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/protocol"
)

// The kinds of what nodes tell and ask of each other, and their bodies.
const (
	tellSend       = "send"
	tellDisconnect = "disconnect" // of nodes of before, which do not count
	tellExcess     = "excess"
	tellProbe      = "probe"
	askSurvey      = "survey"
	askClaims      = "claims"
	askDisconnect  = "disconnect"
	askJoin        = "join"
	askRemove      = "remove"
)

type sendCommand struct {
	User string `json:"user"`
	Data []byte `json:"data"` // in base64: JSON inside JSON would be rewritten
}

type surveyQuestion struct {
	Name string `json:"name"`
	Data []byte `json:"data,omitempty"` // in base64
}

// commands does what nodes tell and ask of each other.
type commands struct{ *Hub }

// newNodes makes what joins this node with others. It is silent until the broker starts.
func newNodes(h *Hub, bus broker.Bus) *nodes.Exchange {
	do := commands{h}
	x := nodes.New(nodes.Config{Node: h.node, Bus: bus, Context: h.ctx, Run: h.life.Run, Load: h.load, Log: h.log})
	nodes.HandleTell(x, tellSend, func(_ string, c sendCommand) { do.send(c) })
	nodes.HandleTell(x, tellDisconnect, func(from string, c disconnectOrder) {
		if from != h.node {
			do.disconnect(c)
		}
	})
	nodes.HandleOrder(x, askDisconnect, elsewhere(h, func(c disconnectOrder) func(context.Context) (closedCount, error) {
		n := do.disconnect(c)
		return func(context.Context) (closedCount, error) { return n, nil }
	}))
	nodes.HandleOrder(x, askJoin, elsewhere(h, do.join))
	nodes.HandleOrder(x, askRemove, elsewhere(h, do.remove))
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

// unanswered is what an order's answers say that went wrong: err, and what each node did not do.
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

// SendUser sends data to every connection of a user, on every node, as Conn.Send does. It is at most once: nothing
// is kept for a user who is not connected. It costs every node a look, so that for streams of messages a room
// of the user's own is cheaper.
func (h *Hub) SendUser(ctx context.Context, user string, data []byte) error {
	if !h.conf.raw && !protocol.Valid(data) {
		return ErrData
	}
	if h.conf.raw && !utf8.Valid(data) {
		return ErrText
	}
	if h.life.Closed() {
		return ErrClosed
	}
	return h.nodes.Tell(ctx, tellSend, sendCommand{User: user, Data: data})
}

func (h commands) send(cmd sendCommand) {
	for _, c := range h.users.Conns(cmd.User) {
		if c.kind == raw || c.marks.has(greetedMark) { // nothing comes before the welcome
			_ = c.Send(cmd.Data)
		}
	}
}

// Command implements broker.Receiver.
func (x receiver) Command(from string, payload []byte) { x.h.nodes.Receive(from, payload) }
