package hub

import (
	"context"
	"encoding/json"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

// command is what nodes ask of each other.
type command struct {
	Do     string             `json:"do"`
	User   string             `json:"user,omitempty"`
	Data   []byte             `json:"data,omitempty"` // in base64: JSON inside JSON would be rewritten
	Code   protocol.CloseCode `json:"code,omitempty"`
	Reason string             `json:"reason,omitempty"`
	// Survey numbers a survey of the node that asks, and Name says what it asks for.
	Survey uint64 `json:"survey,omitempty"`
	Name   string `json:"name,omitempty"`
	Error  string `json:"error,omitempty"`
}

const (
	doSend       = "send"
	doDisconnect = "disconnect"
	doSurvey     = "survey"
	doAnswer     = "answer"
)

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
	if h.life.isClosed() {
		return ErrClosed
	}
	cmd := command{Do: doSend, User: user, Data: data}
	if h.bus == nil {
		h.obey(cmd)
		return nil
	}
	return h.bus.Broadcast(ctx, cmd.encode())
}

// Disconnect closes every connection of a user, on every node, with 4102, so that the user's clients do not
// come back by themselves. Connections on their way in are closed too, where the authenticator or the token verifier was
// asked about them before: end what it believes in first, and Disconnect then. On this node all that is done when it
// returns, even where the error says that the other nodes could not be told.
func (h *Hub) Disconnect(ctx context.Context, user, reason string) error {
	if h.life.isClosed() {
		return ErrClosed
	}
	cmd := command{Do: doDisconnect, User: user, Code: protocol.CloseDisconnected, Reason: reason}
	h.obey(cmd)
	if h.bus == nil {
		return nil
	}
	return h.bus.Broadcast(ctx, cmd.encode())
}

func (c *command) encode() []byte {
	payload, err := json.Marshal(c)
	if err != nil {
		panic("hub: command: " + err.Error()) // Data was checked, and the rest always encodes
	}
	return payload
}

// Command implements broker.Receiver.
func (x receiver) Command(from string, payload []byte) {
	var cmd command
	if err := json.Unmarshal(payload, &cmd); err != nil {
		x.h.log.Warn("command not understood", "from", from, "err", err)
		return
	}
	switch cmd.Do {
	case doSurvey:
		x.h.life.run(func() { x.h.answerSurvey(from, cmd) })
	case doAnswer:
		x.h.surveys.settle(from, cmd)
	case doDisconnect:
		if from != x.h.node { // else it was obeyed before it was sent, and the user may be back
			x.h.obey(cmd)
		}
	default:
		x.h.obey(cmd)
	}
}

func (h *Hub) obey(cmd command) {
	if cmd.User == "" {
		return // the anonymous are nobody in particular
	}
	switch cmd.Do {
	case doSend:
		for _, c := range h.users.Conns(cmd.User) {
			if c.kind == raw || c.marks.has(greetedMark) { // nothing comes before the welcome
				_ = c.Send(cmd.Data)
			}
		}
	case doDisconnect:
		why := &CloseError{Code: cmd.Code, Reason: cmd.Reason}
		h.revocations.Note(cmd.User, why)
		for _, c := range h.users.Conns(cmd.User) {
			c.shut(why)
		}
	}
}
