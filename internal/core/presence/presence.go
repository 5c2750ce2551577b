// Package presence tells the members of a room who comes and goes, at a bounded rate, and answers those who ask who is
// there. The broker knows it of all nodes; an [Attendance] is what one node does about one of its rooms.
//
// Below the rate each change is told at once. Above it changes are gathered, and what cancels out is never told. If too much
// waits, members are told only that the list has changed, and ask. An answer is made once and shared by all who wait for it.
package presence

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Config is what presence needs of the hub.
type Config struct {
	// Context ends when the hub is closed.
	Context context.Context
	// Run starts a goroutine that the hub waits for when it is closed. It survives the function's panic.
	Run func(f func())
	// Stale reports whether changes on other nodes may be missed at the moment.
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

// New returns the presence that a broker knows; nil if b has no presence.
func New(b broker.Broker, conf Config) *Node {
	p, ok := b.(broker.Presence)
	if !ok {
		return nil
	}
	pages, _ := b.(broker.PresencePages)
	return &Node{Presence: p, pages: pages, conf: conf, start: time.Now()}
}

// List asks the broker who is in a room: up to limit members, or all if limit is zero, and how many there are.
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

// complete counts the users of a list from the first member on that has all, and says where one goes on that has not.
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

// Page asks the broker for up to limit members that follow a cursor. Without one, or if the broker knows none, it is the
// first of them.
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

// Members are the members of a room on this node, all of whom are sent what is told.
type Members interface {
	AddEvent(opcode byte, encode func(dst []byte) []byte)
	Len() int
	// Source is the room, as the members' backlogs know it.
	Source() *frame.Source
}

// Rate bounds how many changes a room's members are told one by one.
type Rate struct {
	rate.Limit
	Burst int
	// Counts is how many members a room has at most whose changes are told one by one; zero is no bound.
	Counts int
}

// Attend begins to tell the members of a room. A room that is calm costs no timer and no goroutine, so that there is no end
// to it either.
func (n *Node) Attend(room string, members Members, r Rate) *Attendance {
	return &Attendance{node: n, room: room, members: members, limit: r}
}

// now is the time since the node's start, which is monotonic.
func (n *Node) now() time.Duration { return time.Since(n.start) }
