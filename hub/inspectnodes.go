package hub

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/internal/core/nodes"
)

// Bounds of one page of one node.
const (
	defaultInspectLimit = 100
	maxInspectLimit     = 1000
)

// ConnQuery says which connections InspectConns lists. A connection must match all fields that are set. The zero ConnQuery
// lists all.
type ConnQuery struct {
	// Node is the only node that is asked; empty for all.
	Node string `json:"node,omitempty"`
	// Conn is what Conn.ID returns, and Session what Conn.Session returns. User is that of the Identity. Room is a room
	// that the connection is in.
	Conn    string `json:"conn,omitempty"`
	Session string `json:"session,omitempty"`
	User    string `json:"user,omitempty"`
	Room    string `json:"room,omitempty"`
	// Slowest lists, of each node, the connections with the largest backlog in bytes, the largest first. It omits
	// connections that have no backlog. There are no further pages.
	Slowest bool `json:"slowest,omitempty"`
	// Limit is how many connections each node lists at most. The default is 100, the maximum 1,000; a larger Limit
	// counts as 1,000.
	Limit int `json:"limit,omitempty"`
	// After is Next of the previous page; nil for the first page.
	After map[string]string `json:"after,omitempty"`
}

// ConnPage is a page of InspectConns.
type ConnPage struct {
	// Conns are in the order of their nodes' names, and with Slowest by backlog. A page may be short, or empty,
	// although there is a next one.
	Conns []ConnInfo `json:"conns"`
	// Next is where the next page begins on each node that has one; nil if none has.
	Next map[string]string `json:"next,omitempty"`
	// Silent names the nodes that did not answer in time, or whose version does not know the question.
	Silent []string `json:"silent,omitempty"`
}

// InspectConns lists connections of all nodes, a page at a time. It blocks until the other nodes have answered or ctx
// ends, at most 15 s. If the error matches ErrNoAnswer, or is the broker's, the page has what the other nodes answered,
// and Silent names those that did not answer. To ask one of those again, set Node.
//
// For a page, each node looks at 20,000 of its connections at most, and answers with 512 KiB at most. With Slowest or
// Conn it looks at all of its connections, and with Room at all of the room's. A connection that is open from the first
// page to the last is listed exactly once.
//
// InspectConns does not check permissions: before you call it, decide whether your caller may see users and addresses.
func (h *Hub) InspectConns(ctx context.Context, q ConnQuery) (ConnPage, error) {
	page := ConnPage{Conns: []ConnInfo{}}
	parts, silent, err := askParts[ConnInfo](ctx, h, askConns, q.Node, q)
	for _, p := range parts {
		page.Conns = append(page.Conns, p.Items...)
	}
	page.Next, page.Silent = nextOf(parts), silent
	if q.Slowest {
		slices.SortStableFunc(page.Conns, func(a, b ConnInfo) int { return cmp.Compare(b.BacklogBytes, a.BacklogBytes) })
	}
	return page, err
}

// RoomQuery says which rooms InspectRooms lists. The zero RoomQuery lists all rooms that have members.
type RoomQuery struct {
	// Node is the only node that is asked; empty for all.
	Node string `json:"node,omitempty"`
	// Room is the only room that is listed; empty for all. Contains is a part of the names of the rooms that are
	// listed.
	Room     string `json:"room,omitempty"`
	Contains string `json:"contains,omitempty"`
	// Largest lists, of each node, the rooms with the most members, the largest first. There are no further pages.
	Largest bool `json:"largest,omitempty"`
	// Limit is how many rooms each node lists at most. The default is 100, the maximum 1,000; a larger Limit counts as
	// 1,000.
	Limit int `json:"limit,omitempty"`
	// After is Next of the previous page; nil for the first page.
	After map[string]string `json:"after,omitempty"`
}

// RoomPage is a page of InspectRooms.
type RoomPage struct {
	// Rooms has what each node knows of its own members: a room with members on two nodes is listed twice. They are in
	// the order of their nodes' names, and with Largest by members. A page may be short, or empty, although there is a
	// next one.
	Rooms []RoomInfo `json:"rooms"`
	// Next and Silent are as in ConnPage.
	Next   map[string]string `json:"next,omitempty"`
	Silent []string          `json:"silent,omitempty"`
}

// InspectRooms lists the rooms that have members, of all nodes, a page at a time. Otherwise it is like InspectConns.
// For a page, each node looks at 20,000 of its rooms at most, or with Largest at all. With Largest, a room among one
// node's largest need not be among another's: to add up its members, query it by Room.
func (h *Hub) InspectRooms(ctx context.Context, q RoomQuery) (RoomPage, error) {
	page := RoomPage{Rooms: []RoomInfo{}}
	parts, silent, err := askParts[RoomInfo](ctx, h, askRooms, q.Node, q)
	for _, p := range parts {
		page.Rooms = append(page.Rooms, p.Items...)
	}
	page.Next, page.Silent = nextOf(parts), silent
	if q.Largest {
		slices.SortStableFunc(page.Rooms, func(a, b RoomInfo) int { return cmp.Compare(b.Members, a.Members) })
	}
	return page, err
}

// NodeInfo is what a node knows of itself. It is plain data that encoding/json encodes as it is.
type NodeInfo struct {
	Node string `json:"node"`
	// Since is when the node's hub was made.
	Since time.Time `json:"since"`
	// Conns, Rooms and Users are those of Stats.
	Conns int `json:"conns"`
	Rooms int `json:"rooms"`
	Users int `json:"users"`
	// Ready is what Hub.Ready returns. Draining is set once Shutdown or Close was called. Stale is set while the broker
	// is unreachable.
	Ready    bool `json:"ready"`
	Draining bool `json:"draining"`
	Stale    bool `json:"stale"`
}

// NodePage is what InspectNodes returns.
type NodePage struct {
	// Nodes are the nodes that have answered, by name.
	Nodes []NodeInfo `json:"nodes"`
	// Silent is as in ConnPage.
	Silent []string `json:"silent,omitempty"`
}

// InspectNodes asks every node about itself. It blocks and fails as InspectConns does. Nodes returns what each node
// last reported; InspectNodes returns the present state, and names the nodes that do not answer.
func (h *Hub) InspectNodes(ctx context.Context) (NodePage, error) {
	page := NodePage{Nodes: []NodeInfo{}}
	parts, silent, err := askParts[NodeInfo](ctx, h, askNode, "", struct{}{})
	for _, p := range parts {
		page.Nodes = append(page.Nodes, p.Items...)
	}
	page.Silent = silent
	return page, err
}

// part is what one node answers to an inspection.
type part[T any] struct {
	node  string
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// askParts asks all nodes, or one, and returns what each has answered, by name.
func askParts[T any](ctx context.Context, h *Hub, kind, only string, q any) (parts []part[T], silent []string, err error) {
	if h.life.Closed() {
		return nil, nil, ErrClosed
	}
	var answers []nodes.Answer[part[T]]
	if only == "" {
		answers, err = nodes.Ask[part[T]](ctx, h.nodes, kind, q)
	} else {
		answers, err = nodes.AskNode[part[T]](ctx, h.nodes, only, kind, q)
	}
	for _, a := range answers {
		if a.Err == nil {
			a.Value.node = a.Node
			parts = append(parts, a.Value)
		}
	}
	return parts, nodes.Silent(answers), unanswered(answers, err)
}

// nextOf is where the next page begins on each node.
func nextOf[T any](parts []part[T]) (next map[string]string) {
	for _, p := range parts {
		if p.Next == "" {
			continue
		}
		if next == nil {
			next = make(map[string]string)
		}
		next[p.node] = p.Next
	}
	return next
}

// answerInspections sets what this node answers.
func (h commands) answerInspections(x *nodes.Exchange) {
	nodes.HandleAsk(x, askConns, func(_ context.Context, _ string, q ConnQuery) (part[ConnInfo], error) { return h.listConns(q) })
	nodes.HandleAsk(x, askRooms, func(_ context.Context, _ string, q RoomQuery) (part[RoomInfo], error) { return h.listRooms(q) })
	nodes.HandleAsk(x, askNode, func(context.Context, string, struct{}) (part[NodeInfo], error) {
		return part[NodeInfo]{Items: []NodeInfo{h.Info()}}, nil
	})
}

// Info returns what InspectNodes reports of this node. It does not block.
func (h *Hub) Info() NodeInfo {
	return NodeInfo{
		Node: h.node, Since: h.start, Conns: h.conns.Len(), Rooms: h.rooms.Stats().Rooms, Users: h.users.Len(),
		Ready: h.Ready(), Draining: !h.life.Serving(), Stale: h.stats.stale.Load(),
	}
}

// errCursor is the answer to an After that is made up, or from an earlier run of the node.
var errCursor = errors.New("hub: After is not the Next of a page of this run of the node: begin with the first page")
