package hub

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/protocol"
)

// Target says whose connections Disconnect closes: see ByUser, BySession and ByConn.
type Target struct{ user, session, conn string }

// ByUser is every connection of a user. The anonymous, whose name is empty, are nobody's connections.
func ByUser(user string) Target { return Target{user: user} }

// BySession is every connection of a session, by what Conn.Session returns. Every node looks at all its connections for it.
func BySession(session string) Target { return Target{session: session} }

// ByConn is one connection, by what Conn.ID returns.
func ByConn(id string) Target { return Target{conn: id} }

// Disconnected says how many connections Disconnect has closed.
type Disconnected struct {
	// Nodes are the nodes that answered, with how many connections each has closed. Those that were being closed already do
	// not count.
	Nodes map[string]int
	// Silent are the nodes of which nothing is known, by name. They may have closed connections or not.
	Silent []string
}

// Total is how many connections were closed on all nodes that answered.
func (d Disconnected) Total() (n int) {
	for _, closed := range d.Nodes {
		n += closed
	}
	return n
}

// Disconnect closes connections on every node. If why is nil or has no code, they are closed with 4102, which tells the clients
// not to come back by themselves; why.Err stays on this node. Close frames are as those of Conn.CloseWith.
//
// With ByUser, connections on their way in are closed too, if the authenticator or the token verifier was asked about them
// before: end what it believes in first, and call Disconnect then.
//
// On this node all that is done when it returns. It waits for the other nodes' answers, until ctx ends, for 15 s at most. The
// error matches ErrNoAnswer if nodes are silent, and is the broker's if they could not be asked; call it again then. It matches
// ErrCloseCode, and nothing is closed, if a close frame must not carry why.Code.
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
	answers, err := nodes.Ask[closedCount](ctx, h.nodes, askDisconnect, orderTo(whose, &as))
	for _, a := range answers {
		if a.Err == nil && a.Node != h.node {
			done.Nodes[a.Node] = a.Value.Closed
		}
	}
	done.Silent = nodes.Silent(answers)
	return done, unanswered(answers, err)
}

// disconnectOrder is what other nodes are asked. Those of before know User, Code and Reason alone.
type disconnectOrder struct {
	User    string             `json:"user,omitempty"`
	Session string             `json:"session,omitempty"`
	Conn    string             `json:"conn,omitempty"`
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
		User: whose.user, Session: whose.session, Conn: whose.conn, Code: why.Code, Reason: why.Reason,
		RetryAfter: why.RetryAfter.Milliseconds(), Spread: why.Spread.Milliseconds(),
	}
}

func (h commands) disconnect(o disconnectOrder) closedCount {
	return closedCount{h.closeAll(Target{o.User, o.Session, o.Conn}, &CloseError{
		Code: o.Code, Reason: o.Reason,
		RetryAfter: time.Duration(o.RetryAfter) * time.Millisecond, Spread: time.Duration(o.Spread) * time.Millisecond,
	})}
}

// closeAll closes the connections of this node that are meant, and returns how many. It does not block.
func (h *Hub) closeAll(whose Target, why *CloseError) (n int) {
	var conns []*Conn
	switch {
	case whose.user != "":
		h.revocations.Note(whose.user, "", why)
		conns = h.users.Conns(whose.user)
	case whose.session != "":
		conns = h.conns.All()
	case whose.conn != "" && h.connNum(whose.conn) != 0:
		conns = h.conns.All()
	}
	num := h.connNum(whose.conn)
	for _, c := range conns {
		if num != 0 && c.entry.Num != num || whose.session != "" && c.Session() != whose.session {
			continue
		}
		if c.closeWith(why) {
			n++
		}
	}
	return n
}

// connNum is the number of a connection of this node; zero for what is none's ID.
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
