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
	// Read is told how many messages a member was sent from the history, unless it is nil.
	Read func(messages int)
}

// IsZero reports whether a member begins with what comes next.
func (s Start) IsZero() bool { return s.Since.IsZero() && s.Last == 0 }

func (e *Errors) tooMany(already int) error { return fmt.Errorf("%w: %d already", e.TooMany, already) }

// join is a Join under way.
type join struct {
	node       *Node
	member     Member
	request    uint64
	room       *Room
	from       Start
	membership *membership
	start      broker.Position // that the client is told
	answered   bool
	refused    error // why it must be no member
}

// ToldError is the error of a Join that failed when the client took itself to be in the room.
type ToldError struct {
	// Answered reports whether Joined was called. If not, the connection had been in the room before.
	Answered bool
	Err      error
}

func (e *ToldError) Error() string { return e.Err.Error() }
func (e *ToldError) Unwrap() error { return e.Err }

// Join puts a connection into a room. It blocks until the broker has subscribed, and until what is replayed is on its way. A
// connection that is in the room already is told so; in a room with history it goes on from where it asks.
//
// The error matches broker.ErrRoomName or one of Errors, or is the broker's, that of ctx or
// what bars the member. It is a *ToldError if the client takes itself to be in the room.
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
		return n.conf.Errors.NoHistory
	}
	if !from.Since.IsZero() {
		from.Last = 0
	}
	s, place, err := l.reserve(r, n.conf.MaxRooms)
	if err != nil {
		return err
	}
	j := join{node: n, member: m, request: request, room: r, from: from, membership: s}
	switch {
	case place == fanout.Place{}:
		err = j.enter(ctx)
	case !r.hasHistory():
		s = nil // it stays as it is, and has its own hold of the room
		m.Joined(request, name, broker.Position{})
		return nil
	default:
		// A member of a room with history wants a position, and maybe what follows it once more.
		n.release(r)
		m.Writer().Release() // part waits
		n.part(m, s, place)
		err = j.again(ctx)
	}
	if err == nil {
		in = true
		return nil
	}
	if j.answered || place != (fanout.Place{}) {
		err = &ToldError{Answered: j.answered, Err: err}
	}
	return err
}

// enter subscribes the node, announces the member, and makes the connection one.
func (j *join) enter(ctx context.Context) error {
	r := j.room
	if err := j.node.subscribe(ctx, r, j.member.Writer().Release); err != nil {
		return err
	}
	if r.rule.Presence {
		if err := j.announce(ctx); err != nil {
			return err
		}
	}
	var err error
	if r.hasHistory() {
		err = j.catchUp(ctx)
	} else {
		var ok bool
		if ok, err = j.take(0, broker.Position{}); !ok && err == nil {
			err = errors.New("hub: a room without history refused a member")
		}
	}
	if err != nil && r.rule.Presence {
		_ = j.node.absent(j.member, r.name)
	}
	return err
}

// again makes a connection a member anew that has parted from the room.
func (j *join) again(ctx context.Context) error {
	err := j.catchUp(ctx)
	if err != nil && j.room.rule.Presence {
		_ = j.node.absent(j.member, j.room.name)
	}
	return err
}

// take makes the connection a member that has seen all up to since, and tells it first: who has heard that it is in must
// miss nothing. It reports false if messages were sent to the room meanwhile. An error says that it must be none.
func (j *join) take(since fanout.Mark, start broker.Position) (ok bool, err error) {
	j.start = start
	_, ok = j.room.JoinAfter(j.member.Writer(), since, j.admit)
	return ok, j.refused
}

// admit is called with the room locked.
func (j *join) admit(place fanout.Place) bool {
	if j.refused = j.member.Memberships().keep(j.membership, place, j.member); j.refused != nil {
		return false
	}
	j.answer(j.start)
	return true
}

// answer tells the client once that it is in the room.
func (j *join) answer(start broker.Position) {
	if !j.answered {
		j.answered = true
		j.member.Joined(j.request, j.room.name, start)
	}
}

// announce tells others that the connection is a member.
func (j *join) announce(ctx context.Context) error {
	j.member.Writer().Release() // the broker takes its time
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
// in rooms with presence. The error is Errors.Joining, or the broker's.
func (n *Node) Leave(ctx context.Context, m Member, room string) (was bool, err error) {
	s, err := m.Memberships().take(room)
	if s == nil || err != nil {
		return s != nil, err
	}
	defer n.release(s.room)
	return true, n.depart(ctx, m, s, s.place)
}

// Remove begins to take a connection out of a room, which has not asked for that. It does not block. It returns nil if the
// connection is not in the room, or is joining it. Otherwise the caller must call finish, which blocks as Leave does, and calls
// parted, which must not block, when the connection is sent nothing of the room any more and the broker knows. Until then nobody can
// join the room again.
func (n *Node) Remove(m Member, room string) (finish func(ctx context.Context, parted func()) error) {
	l := m.Memberships()
	s, place := l.hold(room)
	if s == nil {
		return nil
	}
	return func(ctx context.Context, parted func()) error {
		defer n.release(s.room)
		defer l.remove(s, nil) // if the broker panics
		err := n.depart(ctx, m, s, place)
		l.remove(s, parted)
		return err
	}
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
	defer n.release(s.room)
	if err := n.depart(ctx, m, s, s.place); err != nil {
		n.conf.Log.Warn("leaving a room failed", "conn", m.Presence().Conn, "room", s.room.name, "err", err)
	}
}

// depart takes a connection out of a room that it holds no membership of any more.
func (n *Node) depart(ctx context.Context, m Member, s *membership, place fanout.Place) error {
	n.part(m, s, place)
	r := s.room
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
