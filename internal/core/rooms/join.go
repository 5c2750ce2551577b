package rooms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
)

// Start is where in a room's history a member begins: after a position, or with the newest messages. The zero Start is with
// what comes next. A position promises every message after it, so that Last does not count beside one.
type Start struct {
	Since broker.Position
	Last  int
}

// IsZero reports whether a member begins with what comes next.
func (s Start) IsZero() bool { return s.Since.IsZero() && s.Last == 0 }

func tooMany(already int) error { return fmt.Errorf("%w: %d already", ErrTooMany, already) }

// join is a Join under way.
type join struct {
	node    *Node
	member  Member
	request uint64
	room    *Room
	from    Start
}

// Join puts a connection into a room. It blocks until the broker has subscribed, and until what is replayed is on its way. A
// connection that is in the room already is told so; in a room with history it goes on from where it asks.
//
// The error matches broker.ErrRoomName, ErrNoHistory, ErrTooMany, ErrJoining or ErrClosed, or is the broker's or that of ctx.
func (n *Node) Join(ctx context.Context, m Member, request uint64, name string, from Start) error {
	if err := broker.CheckRoom(name); err != nil {
		return err
	}
	r := n.acquire(name)
	l := m.Memberships()
	var s *membership // that is being joined
	in := false
	defer func() { // even if the broker panics
		if in {
			return
		}
		if s != nil {
			l.remove(s, nil)
		}
		n.release(r)
	}()
	if !from.IsZero() && !r.hasHistory() {
		return ErrNoHistory
	}
	if !from.Since.IsZero() {
		from.Last = 0
	}
	s, place, err := l.reserve(r, n.conf.MaxRooms)
	if err != nil {
		return err
	}
	j := join{node: n, member: m, request: request, room: r, from: from}
	switch {
	case place == fanout.Place{}:
		place, err = j.enter(ctx)
	case !r.hasHistory():
		s = nil // it stays as it is, and has its own hold of the room
		m.Joined(request, name, broker.Position{})
		return nil
	default:
		// A member of a room with history wants a position, and maybe what follows it once more.
		n.release(r)
		n.part(m, s, place)
		place, err = j.again(ctx, s)
	}
	if err != nil {
		return err
	}
	if in = l.keep(s, place); !in {
		n.part(m, s, place)
		if r.rule.Presence {
			_ = n.absent(m, name)
		}
		return ErrClosed
	}
	return nil
}

// enter subscribes the node, announces the member, and makes the connection one.
func (j *join) enter(ctx context.Context) (fanout.Place, error) {
	r := j.room
	if err := j.node.subscribe(ctx, r); err != nil {
		return fanout.Place{}, err
	}
	if r.rule.Presence {
		if err := j.announce(ctx); err != nil {
			return fanout.Place{}, err
		}
	}
	var place fanout.Place
	var err error
	if r.hasHistory() {
		place, err = j.catchUp(ctx)
	} else {
		// Who has heard that it is in must miss nothing.
		var ok bool
		m, request := j.member, j.request // a closure over j would have it on the heap
		place, ok = r.JoinAfter(m.Writer(), 0, func() { m.Joined(request, r.name, broker.Position{}) })
		if !ok {
			err = errors.New("hub: a room without history refused a member")
		}
	}
	if err != nil && r.rule.Presence {
		_ = j.node.absent(j.member, r.name)
	}
	return place, err
}

// again makes a connection a member anew that has parted from the room.
func (j *join) again(ctx context.Context, s *membership) (fanout.Place, error) {
	// It may have fallen behind just before it parted, and then be reading on since.
	j.member.Memberships().endReplay(s)
	place, err := j.catchUp(ctx)
	if err != nil && j.room.rule.Presence {
		_ = j.node.absent(j.member, j.room.name)
	}
	return place, err
}

// announce tells others that the connection is a member.
func (j *join) announce(ctx context.Context) error {
	if err := j.node.conf.Presence.Enter(ctx, j.room.name, j.member.Presence()); err != nil {
		_ = j.node.absent(j.member, j.room.name) // an error does not say that nothing happened
		return err
	}
	j.room.Attendance.Entered()
	return nil
}

// leaveTimeout bounds what the broker may take to hear that a member left.
const leaveTimeout = 5 * time.Second

// absent takes a connection's presence back if the context of whoever asked may be over: nobody else will do it.
func (n *Node) absent(m Member, room string) error {
	ctx, cancel := context.WithTimeout(n.conf.Context, leaveTimeout)
	defer cancel()
	return n.conf.Presence.Leave(ctx, room, m.Presence().Conn)
}

// Leave takes a connection out of a room, and reports whether it was in it or joining it. It blocks while the broker is told,
// in rooms with presence. The error is ErrJoining, or the broker's.
func (n *Node) Leave(ctx context.Context, m Member, room string) (was bool, err error) {
	s, err := m.Memberships().take(room)
	if s == nil || err != nil {
		return s != nil, err
	}
	return true, n.depart(ctx, m, s)
}

// Remove takes a connection out of a room, which it does not ask for, and reports whether it was in it. It blocks as Leave
// does, and calls parted when the connection is sent nothing of the room any more and the broker knows. Until then the room cannot be
// joined again. While the connection is joining the room, nothing happens.
func (n *Node) Remove(ctx context.Context, m Member, room string, parted func()) (was bool, err error) {
	l := m.Memberships()
	s, place := l.hold(room)
	if s == nil {
		return false, nil
	}
	defer l.remove(s, nil) // if the broker panics
	err = n.departFrom(ctx, m, s, place)
	l.remove(s, parted)
	return true, err
}

// LeaveAll takes a connection out of all rooms, and lets it join none any more. Joins under way fail. Its context may be over.
func (n *Node) LeaveAll(m Member) {
	first := m.Memberships().close()
	ctx := n.conf.Context
	if first.present() { // others wait for nothing
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, leaveTimeout)
		defer cancel()
	}
	for s := first; s != nil; s = s.next {
		if !s.joining() { // else the join finds out, and cleans up
			n.leaveOne(ctx, m, s)
		}
	}
}

func (n *Node) leaveOne(ctx context.Context, m Member, s *membership) {
	defer m.Rescue() // the other rooms are to be left all the same
	if err := n.depart(ctx, m, s); err != nil {
		n.conf.Log.Warn("leaving a room failed", "conn", m.Presence().Conn, "room", s.room.name, "err", err)
	}
}

// depart takes a connection out of a room that it holds no membership of any more.
func (n *Node) depart(ctx context.Context, m Member, s *membership) error {
	return n.departFrom(ctx, m, s, s.place)
}

func (n *Node) departFrom(ctx context.Context, m Member, s *membership, place fanout.Place) error {
	n.part(m, s, place)
	r := s.room
	defer n.release(r)
	if !r.rule.Presence {
		return nil
	}
	err := n.conf.Presence.Leave(ctx, r.name, m.Presence().Conn)
	if err != nil && ctx.Err() != nil {
		err = n.absent(m, r.name)
	}
	return err
}

// part takes a connection out of a room's passes, and ends what is read of the history for it. It blocks until nobody reads
// any more.
func (n *Node) part(m Member, s *membership, place fanout.Place) {
	s.room.Leave(m.Writer(), place)
	m.Memberships().endReplay(s)
	m.Writer().Forget(s.room.Source())
}
