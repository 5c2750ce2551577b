package rooms

import (
	"context"
	"slices"
	"sync"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
)

// Member is a connection as the rooms know it.
type Member interface {
	// Memberships is what the rooms keep inside the connection.
	Memberships() *Memberships
	// Writer receives the messages of its rooms.
	Writer() *wire.Writer
	// Context ends with the connection.
	Context() context.Context
	// Presence is what others in a room with presence are told of it.
	Presence() broker.Member
	// Barred says why the connection must not become a member of a room that it is joining; nil if it may. It must not block.
	Barred(room string) error
	// Joined tells the client that it is in a room; request is the number that Join was called with. What comes after from
	// is sent next. In a room without history from is zero. It is called with the room locked, and must not block.
	Joined(request uint64, room string, from broker.Position)
	// Rescue is deferred. It recovers from a panic, which is the broker's fault, and ends the connection.
	Rescue()
}

// Memberships are the rooms of a connection. The zero value has none. Its methods may be called from several goroutines.
type Memberships struct {
	mu    sync.Mutex
	first *membership // the newest; after close the end mark, and behind it the list for Names
}

// membership is a room that a connection is in, or is joining. One without a room is the mark that close sets: a flag would take eight
// bytes of every connection.
type membership struct {
	room  *Room
	place fanout.Place // zero while the connection is joining, or is taken out; guarded by mu of the Memberships, as are the others
	next  *membership
}

// none is the end mark of connections without rooms.
var none membership

// closed is called with mu held.
func (l *Memberships) closed() bool { return l.first != nil && l.first.room == nil }

func (s *membership) joining() bool { return s.place == fanout.Place{} }

// present reports whether one of the memberships from s on is of a room with presence.
func (s *membership) present() bool {
	for ; s != nil; s = s.next {
		if s.room.rule.Presence {
			return true
		}
	}
	return false
}

// count is how many memberships there are from s on.
func (s *membership) count() (n int) {
	for ; s != nil; s = s.next {
		n++
	}
	return n
}

// reserve notes that a room is being joined. If the connection is in it already, it returns the place that it has; in a room
// with history it is then joining it again.
func (l *Memberships) reserve(r *Room, most int) (s *membership, place fanout.Place, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed() {
		return nil, place, r.errors().Closed
	}
	n := 0
	for s := l.first; s != nil; s = s.next {
		if s.room != r {
			n++
			continue
		}
		if s.joining() {
			return nil, place, r.errors().Joining
		}
		place = s.place
		if r.hasHistory() {
			s.place = fanout.Place{}
		}
		return s, place, nil
	}
	if n >= most {
		return nil, place, r.errors().tooMany(most)
	}
	s = &membership{room: r, next: l.first}
	l.first = s
	return s, place, nil
}

// keep ends what reserve began, if the connection may still be a member. Whoever bars it first, and then looks at its
// memberships, finds it barred here or finds the membership.
func (l *Memberships) keep(s *membership, place fanout.Place, m Member) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed() {
		return s.room.errors().Closed
	}
	if err := m.Barred(s.room.name); err != nil {
		return err
	}
	s.place = place
	return nil
}

// remove takes a membership out, if it is there. tell may be nil. Nobody joins the room between the two: a client that is told
// can join again at once, and hears of it before the answer to that.
func (l *Memberships) remove(s *membership, tell func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tell != nil {
		tell()
	}
	l.cut(s)
}

// cut is called with mu held. After close the list stays as it is: who closed it reads it without the lock.
func (l *Memberships) cut(s *membership) {
	if l.closed() {
		return
	}
	for at := &l.first; *at != nil; at = &(*at).next {
		if *at == s {
			*at = s.next
			return
		}
	}
}

// take takes the membership of a room out. It returns Errors.Joining, and leaves it, while the room is being joined; nil if there is
// none.
func (l *Memberships) take(name string) (*membership, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.named(name)
	switch {
	case s == nil:
		return nil, nil
	case s.joining():
		return s, s.room.errors().Joining
	}
	l.cut(s)
	return s, nil
}

// hold has the membership of a room look like one that is being joined, and returns it with its place; nil if the connection
// is not in the room.
func (l *Memberships) hold(name string) (s *membership, place fanout.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = l.named(name)
	if s == nil || s.joining() {
		return nil, place
	}
	place, s.place = s.place, fanout.Place{}
	return s, place
}

// close takes all memberships out, those of rooms that are being joined included. No room can be joined any more, and nothing
// changes the list that it returns. Names still has those that were not being joined.
func (l *Memberships) close() *membership {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.live()
	switch {
	case first != nil:
		l.first = &membership{next: first}
	case l.first == nil:
		l.first = &none
	}
	return first
}

// live is where the list begins of the rooms that the connection is in or joining; nil after close. It is called with mu held.
func (l *Memberships) live() *membership {
	if l.closed() {
		return nil
	}
	return l.first
}

// named is called with mu held.
func (l *Memberships) named(name string) *membership {
	for s := l.live(); s != nil; s = s.next {
		if s.room.name == name {
			return s
		}
	}
	return nil
}

// of returns the membership that a batch is about. It is called with mu held.
func (l *Memberships) of(src *frame.Source) *membership {
	for s := l.live(); s != nil; s = s.next {
		if s.room.Source() == src {
			return s
		}
	}
	return nil
}

// Find returns a room that the connection is in, or nil.
func (l *Memberships) Find(name string) *Room {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.named(name); s != nil && !s.joining() {
		return s.room
	}
	return nil
}

// Names returns the rooms that the connection is in, in the order in which it joined them. After close they are those that it was in.
func (l *Memberships) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.first
	if l.closed() {
		first = first.next
	}
	names := make([]string, 0, first.count())
	for s := first; s != nil; s = s.next {
		if !s.joining() {
			names = append(names, s.room.name)
		}
	}
	slices.Reverse(names)
	return names
}

// Alone is how many bytes the rooms take that the connection is the only member of.
func (l *Memberships) Alone() (bytes int) {
	for _, r := range l.rooms() {
		if r.Len() <= 1 {
			bytes += r.bytes()
		}
	}
	return bytes
}

// rooms are those that the connection is in or joining. A room is locked before its members' memberships are, so that nobody
// asks a room while they are locked.
func (l *Memberships) rooms() []*Room {
	l.mu.Lock()
	defer l.mu.Unlock()
	rooms := make([]*Room, 0, l.live().count())
	for s := l.live(); s != nil; s = s.next {
		rooms = append(rooms, s.room)
	}
	return rooms
}

// Joining reports whether a room is being joined, or the connection taken out of it.
func (l *Memberships) Joining(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.named(name)
	return s != nil && s.joining()
}

// AllJoining returns the rooms of which Joining is true.
func (l *Memberships) AllJoining() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := l.live(); s != nil; s = s.next {
		if s.joining() {
			names = append(names, s.room.name)
		}
	}
	return names
}

// Unless calls f, which must not block, if a room is not the connection's and is not being joined. It cannot become the
// connection's meanwhile.
func (l *Memberships) Unless(name string, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.named(name) == nil {
		f()
	}
}
