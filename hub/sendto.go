package hub

import (
	"context"
	"fmt"
	"runtime"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

// SendTo sends data to every connection that whose selects, on every node, as Conn.Send does. Delivery is at most once:
// the hub keeps nothing for connections that come later, and sends nothing to one that has not been welcomed yet. A
// target without a connection is no error. Only a connection that leaves the room of ByRoom and joins it again meanwhile
// may get data twice.
//
// Every node looks for the connections at each call, and sends to each of them alone. The frame names no room, even
// with ByRoom, and no history keeps it. For a stream of messages, or for many connections, Publish is cheaper.
//
// This node is served first, even if the broker is lost. Then SendTo blocks while the broker takes the message for the
// other nodes, until ctx ends. The error matches ErrData, ErrText or ErrClosed if nothing was sent. If it is the
// broker's, or that of ctx, whether the other nodes were told is unknown. SendTo does not report what they did. Nodes
// of an older version may know ByUser alone: they ignore other targets, and count them in Stats.IgnoredCommands.
func (h *Hub) SendTo(ctx context.Context, whose Target, data []byte) error {
	if err := h.sendable(data); err != nil {
		return err
	}
	if h.life.Closed() {
		return ErrClosed
	}
	h.sendAll(whose, data)
	kind := tellSendTarget
	switch {
	case whose == Target{}, whose.conn != "" && h.connNum(whose.conn) != 0:
		return nil
	case whose.user != "":
		kind = tellSend
	}
	cmd := sendCommand{User: whose.user, Session: whose.session, Conn: whose.conn, Room: whose.room, Data: data}
	if err := h.nodes.Tell(ctx, kind, cmd); err != nil {
		return fmt.Errorf("hub: other nodes may not have been told: %w", err)
	}
	return nil
}

// SendUser sends data to every connection of a user, on every node. It is SendTo with ByUser, with the same bounds and
// errors. For a stream of messages, a room of the user's own is cheaper.
func (h *Hub) SendUser(ctx context.Context, user string, data []byte) error {
	return h.SendTo(ctx, ByUser(user), data)
}

// sendCommand is what other nodes are told. Nodes of an older version know User and Data alone.
type sendCommand struct {
	User string `json:"user,omitempty"`
	Data []byte `json:"data"` // in base64: JSON inside JSON would be rewritten
	// One of these instead of User is set in tellSendTarget.
	Session string `json:"session,omitempty"`
	Conn    string `json:"conn,omitempty"`
	Room    string `json:"room,omitempty"`
}

func (h commands) send(cmd sendCommand) {
	if h.sendable(cmd.Data) == nil {
		h.sendAll(Target{cmd.User, cmd.Session, cmd.Conn, cmd.Room}, cmd.Data)
	}
}

// sendable checks what is to be sent as text.
func (h *Hub) sendable(data []byte) error {
	switch {
	case !h.conf.raw && !protocol.Valid(data):
		return ErrData
	case h.conf.raw && !utf8.Valid(data):
		return ErrText
	}
	return nil
}

// sendAll sends to the selected connections of this node. It does not block.
func (h *Hub) sendAll(whose Target, data []byte) {
	for c := range h.meant(whose) {
		if c.greeted() {
			_ = c.sendText(data) // an error means that the connection is gone
		}
	}
}

// greeted reports whether the welcome was sent: nothing comes before it. A client that has its welcome is greeted, so
// while one is being sent, which does not block, greeted waits.
func (c *Conn) greeted() bool {
	for c.kind != raw && !c.state.has(greetedMark) {
		if !c.state.has(greetingMark) {
			return false
		}
		runtime.Gosched()
	}
	return true
}
