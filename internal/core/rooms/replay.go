package rooms

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// replay reads on in the history of a room because the connection had no place for its messages.
type replay struct {
	cancel context.CancelFunc
	done   chan struct{}
	again  bool // it has fallen behind anew
}

// replayPause is between two tries while the broker cannot be reached.
const replayPause = 500 * time.Millisecond

// Replay is called when a connection's Writer has fallen behind a room, with the Source of its batches. It reads on in the
// room's history until the connection is in step with it again, or has left it, and blocks meanwhile. An error means that the
// connection has to go, since it has missed messages of that room.
func (n *Node) Replay(m Member, src *frame.Source) (room string, err error) {
	ctx, cancel := context.WithCancel(m.Context())
	defer cancel()
	s, p := m.Memberships().beginReplay(src, cancel)
	if p == nil {
		return "", nil
	}
	defer func() {
		n.replays.CompareAndDelete(s, p) // unless goOn did
		close(p.done)
	}()
	for again := true; again; again = m.Memberships().goOn(s, p, err) {
		err = n.readOn(ctx, m, s.room)
	}
	if ctx.Err() != nil || errors.Is(err, n.conf.Errors.Closed) || errors.Is(err, broker.ErrClosed) {
		err = nil
	}
	return s.room.name, err
}

// beginReplay returns nil if nothing is to be done: the connection has left the room or joins it anew, or somebody reads already.
func (l *Memberships) beginReplay(src *frame.Source, cancel context.CancelFunc) (*membership, *replay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(src)
	if s == nil || s.joining() {
		return nil, nil
	}
	if p := s.replay(); p != nil {
		p.again = true
		return nil, nil
	}
	p := &replay{cancel: cancel, done: make(chan struct{})}
	s.room.node.replays.Store(s, p)
	return s, p
}

// replay is under way while the connection has no place for the room's messages; nil if it has. It is called with mu of the
// Memberships held.
func (s *membership) replay() *replay {
	v, _ := s.room.node.replays.Load(s)
	p, _ := v.(*replay)
	return p
}

// goOn reports whether the connection fell behind anew while it read on. If not, or if that failed, the replay is over.
func (l *Memberships) goOn(s *membership, p *replay, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !p.again || err != nil {
		s.room.node.replays.Delete(s)
		return false
	}
	p.again = false
	return true
}

// endReplay blocks until nobody reads the room's history any more because the connection was behind.
func (l *Memberships) endReplay(s *membership) {
	l.mu.Lock()
	p := s.replay()
	l.mu.Unlock()
	if p != nil {
		p.cancel()
		<-p.done
	}
}

func (n *Node) readOn(ctx context.Context, m Member, r *Room) error {
	w := m.Writer()
	read, ok := w.Behind(r.Source())
	if !ok {
		return nil
	}
	x := reader{
		node: n, writer: w, room: r, from: Start{Since: r.position(fanout.Mark(read))},
		answer: func(broker.Position) {},
		missed: func(to fanout.Mark) { w.Skip(r.Source(), uint64(to)) },
		join: func(since fanout.Mark) (bool, error) {
			return r.Rejoin(since, func() { w.Resume(r.Source(), uint64(since)) }), nil
		},
	}
	for {
		err := x.read(ctx)
		if err == nil || ctx.Err() != nil ||
			!errors.Is(err, broker.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if err := pause(ctx, replayPause); err != nil {
			return err
		}
	}
}
