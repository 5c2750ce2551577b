package hub

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/protocol"
)

// Target selects the connections of an action, on every node. ByUser, BySession, ByConn and ByRoom make one.
type Target struct{ user, session, conn, room string }

// ByUser selects every connection of a user. The empty name, which anonymous connections have, selects no connection.
func ByUser(user string) Target { return Target{user: user} }

// BySession selects every connection of a session, as Conn.Session returns it. Every node looks at all its connections.
func BySession(session string) Target { return Target{session: session} }

// ByConn selects the connection with an ID, as Conn.ID returns it.
func ByConn(id string) Target { return Target{conn: id} }

// ByRoom selects every connection that is in a room. A connection whose join is under way is not selected.
func ByRoom(room string) Target { return Target{room: room} }

// Disconnected says how many connections Disconnect has closed.
type Disconnected struct {
	// Nodes has an entry for each node that answered: how many connections it has closed. Connections that were closing
	// already do not count.
	Nodes map[string]int
	// Silent names the nodes that did not answer. Whether they closed connections is unknown.
	Silent []string
}

// Total returns how many connections were closed on all nodes that answered.
func (d Disconnected) Total() (n int) {
	for _, closed := range d.Nodes {
		n += closed
	}
	return n
}

// Disconnect closes connections on every node, as Conn.CloseWith does. If why is nil or has no code, the close code is
// 4102, after which clients do not reconnect by themselves. why.Err stays on this node.
//
// With ByUser, Disconnect also closes connections whose handshake is under way, if the authenticator or the token
// verifier was called before. So first revoke the user in what these consult, and then call Disconnect.
//
// When Disconnect returns, this node is done. It waits for the other nodes' answers until ctx ends, at most 15 s. The
// error matches ErrNoAnswer if nodes are silent, and is the broker's if they could not be asked: call Disconnect again
// then. If a close frame must not carry why.Code, nothing is closed and the error matches ErrCloseCode. It matches
// ErrClosed if the hub is closed.
func (h *Hub) Disconnect(ctx context.Context, whose Target, why *CloseError) (Disconnected, error) {
	if h.life.Closed() {
		return Disconnected{}, ErrClosed
	}
	var as CloseError
	if why != nil {
		as = *why
	}
	if as.Code == 0 {
		as.Code = protocol.CloseDisconnected
	}
	if !as.Code.Sendable() {
		return Disconnected{}, closeCodeError(as.Code, "nothing is closed")
	}
	done := Disconnected{Nodes: map[string]int{h.node: h.closeAll(whose, &as)}}
	if h.nodes.Alone() || whose.conn != "" && h.connNum(whose.conn) != 0 {
		return done, nil
	}
	kind := askDisconnect
	if whose.room != "" {
		kind = askDisconnectRoom
	}
	answers, err := nodes.Ask[closedCount](ctx, h.nodes, kind, orderTo(whose, &as))
	for _, a := range answers {
		if a.Err == nil && a.Node != h.node {
			done.Nodes[a.Node] = a.Value.Closed
		}
	}
	done.Silent = nodes.Silent(answers)
	return done, unanswered(answers, err)
}

// disconnectOrder is what other nodes are asked. Nodes of an older version know User, Code and Reason alone.
type disconnectOrder struct {
	User    string             `json:"user,omitempty"`
	Session string             `json:"session,omitempty"`
	Conn    string             `json:"conn,omitempty"`
	Room    string             `json:"room,omitempty"` // of askDisconnectRoom
	Code    protocol.CloseCode `json:"code"`
	Reason  string             `json:"reason,omitempty"`
	// RetryAfter and Spread are in milliseconds.
	RetryAfter int64 `json:"retry_after_ms,omitempty"`
	Spread     int64 `json:"spread_ms,omitempty"`
}

type closedCount struct {
	Closed int `json:"closed"`
}

func orderTo(whose Target, why *CloseError) disconnectOrder {
	return disconnectOrder{
		User: whose.user, Session: whose.session, Conn: whose.conn, Room: whose.room, Code: why.Code, Reason: why.Reason,
		RetryAfter: why.RetryAfter.Milliseconds(), Spread: why.Spread.Milliseconds(),
	}
}

func (h commands) disconnect(o disconnectOrder) closedCount {
	return closedCount{h.closeAll(Target{o.User, o.Session, o.Conn, o.Room}, &CloseError{
		Code: o.Code, Reason: o.Reason,
		RetryAfter: time.Duration(o.RetryAfter) * time.Millisecond, Spread: time.Duration(o.Spread) * time.Millisecond,
	})}
}

// closeAll closes the selected connections of this node, and returns how many. It does not block.
func (h *Hub) closeAll(whose Target, why *CloseError) (n int) {
	if whose.user != "" {
		h.revocations.Note(whose.user, "", why)
	}
	for c := range h.meant(whose) {
		if c.closeWith(why) {
			n++
		}
	}
	return n
}

// meant iterates over the connections of this node that a Target selects.
func (h *Hub) meant(whose Target) iter.Seq[*Conn] {
	switch {
	case whose.user != "":
		return h.ConnsOf(whose.user)
	case whose.room != "":
		return h.Members(whose.room)
	case whose.session != "":
		return func(yield func(*Conn) bool) {
			for c := range h.Conns() {
				if c.Session() == whose.session && !yield(c) {
					return
				}
			}
		}
	}
	return func(yield func(*Conn) bool) {
		if c := h.Conn(whose.conn); c != nil {
			yield(c)
		}
	}
}

// connNum returns the number of a connection of this node; zero if id is not an ID of this node.
func (h *Hub) connNum(id string) uint64 {
	digits, ok := strings.CutPrefix(id, h.idPrefix)
	if !ok {
		return 0
	}
	num, err := strconv.ParseUint(digits, 36, 64)
	if err != nil {
		return 0
	}
	return num
}
