// Package presence sends the joins and leaves of a room to its members, at a bounded rate, and answers requests for the list.
// The broker knows the members on all nodes. An [Attendance] does the work of one node for one of its rooms.
//
// Below the rate each change is sent at once. Above it changes are gathered, and a join and a leave of the same member
// cancel out. If too many changes wait, members are sent only a notice that the list has changed, and ask for it. An answer
// is made once and shared by all requests that wait for it.
package presence

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Config is the part of the hub that presence needs.
type Config struct {
	// Context ends when the hub is closed.
	Context context.Context
	// Run starts a goroutine that the hub waits for when it is closed. It survives the function's panic.
	Run func(f func())
	// Stale reports whether changes on other nodes may be missed now.
	Stale func() bool
	// Timeout bounds a question to the broker.
	Timeout time.Duration
}

// Node is the presence of a node's rooms.
type Node struct {
	broker.Presence
	pages broker.PresencePages // nil if the broker lists from the beginning only
	conf  Config
	start time.Time
}

// New returns the presence of a node; nil if b has no presence.
func New(b broker.Broker, conf Config) *Node {
	p, ok := b.(broker.Presence)
	if !ok {
		return nil
	}
	pages, _ := b.(broker.PresencePages)
	return &Node{Presence: p, pages: pages, conf: conf, start: time.Now()}
}

// List asks the broker for the members of a room: up to limit members, or all if limit is zero, and their number.
func (n *Node) List(ctx context.Context, room string, limit int) (protocol.Presence, error) {
	members, err := n.Members(ctx, room, limit)
	if err != nil {
		return protocol.Presence{}, err
	}
	p := protocol.Presence{Count: len(members), Members: make([]protocol.Member, len(members))}
	for i, m := range members {
		p.Members[i] = protocol.Member(m)
	}
	if limit > 0 && len(members) == limit { // there may be more
		count, err := n.Count(ctx, room)
		if err != nil {
			return protocol.Presence{}, err
		}
		p.Count = max(count, p.Count)
	}
	n.complete(&p)
	return p, nil
}

// complete counts the users of a list with all members from the first on, and sets the cursor of any other list.
func (n *Node) complete(p *protocol.Presence) {
	switch {
	case len(p.Members) < p.Count && len(p.Members) > 0 && n.pages != nil:
		p.Next = p.Members[len(p.Members)-1].Conn
	case len(p.Members) == p.Count:
		users := make(map[string]bool)
		for i := range p.Members {
			if user := p.Members[i].User; user != "" {
				users[user] = true
			}
		}
		p.Users = len(users)
	}
}

// Page asks the broker for up to limit members that follow a cursor. Without a cursor, or if the broker does not support
// cursors, it returns the first members.
func (n *Node) Page(ctx context.Context, room, after string, limit int) (p protocol.Presence, err error) {
	var members []broker.Member
	if n.pages == nil {
		members, err = n.Members(ctx, room, limit)
	} else if members, err = n.pages.MembersAfter(ctx, room, after, limit+1); len(members) > limit {
		members = members[:limit]
		p.Next = members[limit-1].Conn
	}
	p.Members = make([]protocol.Member, len(members))
	for i, m := range members {
		p.Members[i] = protocol.Member(m)
	}
	return p, err
}

// Members are the members of a room on this node. All of them receive the events.
type Members interface {
	AddEvent(encode func(dst []byte, f frame.Form) []byte)
	Len() int
	// Source is the room, as the members' backlogs know it.
	Source() *frame.Source
}

// Rate bounds how many changes a room's members are sent one by one.
type Rate struct {
	rate.Limit
	Burst int
	// Counts is the largest room whose changes are sent one by one, in members; zero is no bound.
	Counts int
}

// Attend returns the Attendance of a room. A room without changes costs no timer and no goroutine, so an Attendance need not
// be closed.
func (n *Node) Attend(room string, members Members, r Rate) *Attendance {
	return &Attendance{node: n, room: room, members: members, limit: r}
}

// now is the time since the node's start, which is monotonic.
func (n *Node) now() time.Duration { return time.Since(n.start) }
