package hub

import (
	"context"
	"encoding/json"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/protocol"
)

// The kinds of what nodes tell and ask of each other, and their bodies.
const (
	tellSend       = "send"
	tellDisconnect = "disconnect"
	askSurvey      = "survey"
)

type sendCommand struct {
	User string `json:"user"`
	Data []byte `json:"data"` // in base64: JSON inside JSON would be rewritten
}

type disconnectCommand struct {
	User   string             `json:"user"`
	Code   protocol.CloseCode `json:"code"`
	Reason string             `json:"reason,omitempty"`
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
	nodes.HandleTell(x, tellDisconnect, func(from string, c disconnectCommand) {
		if from != h.node { // else it was done before it was told, and the user may be back
			do.disconnect(c)
		}
	})
	nodes.HandleAsk(x, askSurvey, func(ctx context.Context, _ string, q surveyQuestion) (json.RawMessage, error) {
		return do.survey(ctx, q)
	})
	return x
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

// Disconnect closes every connection of a user, on every node, with 4102, so that the user's clients do not
// come back by themselves. Connections on their way in are closed too, where the authenticator or the token verifier was
// asked about them before: end what it believes in first, and Disconnect then. On this node all that is done when it
// returns, even where the error says that the other nodes could not be told.
func (h *Hub) Disconnect(ctx context.Context, user, reason string) error {
	if h.life.Closed() {
		return ErrClosed
	}
	cmd := disconnectCommand{User: user, Code: protocol.CloseDisconnected, Reason: reason}
	commands{h}.disconnect(cmd)
	return h.nodes.Tell(ctx, tellDisconnect, cmd)
}

func (h commands) disconnect(cmd disconnectCommand) {
	if cmd.User == "" {
		return // the anonymous are nobody in particular
	}
	why := &CloseError{Code: cmd.Code, Reason: cmd.Reason}
	h.revocations.Note(cmd.User, why)
	for _, c := range h.users.Conns(cmd.User) {
		c.closeWith(why)
	}
}

// Command implements broker.Receiver.
func (x receiver) Command(from string, payload []byte) { x.h.nodes.Receive(from, payload) }
