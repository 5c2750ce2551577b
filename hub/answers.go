package hub

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// maxMembers and answerBytes bound what an answer to presence lists: the Go client reads 1 MiB, others may read less.
	// It always counts all.
	maxMembers  = 1000
	answerBytes = 48 << 10

	// answerShare is which part of the time the broker may be asked about one room, and the pause that follows a question is
	// in these bounds.
	answerShare    = 20
	minAnswerPause = 50 * time.Millisecond
	maxAnswerPause = 2 * time.Second
	// maxAnswerAge is how long an answer is good that no change has made old: events may be lost.
	maxAnswerAge = 5 * time.Second
)

// answers are made once for all members of a room that ask. They are guarded by the attendance's mu.
type answers struct {
	last  *answer       // nil before the first
	busy  chan struct{} // closed when the question under way is answered; nil without one
	pause time.Duration // no question before that
	shown time.Duration // changes may be in an answer until then
}

// answer is what the broker said, with the version that this node knew when it asked.
type answer struct {
	version uint64
	made    time.Duration
	count   int
	tail    *frame.Batch // the data of the ok frame, and its end
	err     error
}

// recent reports whether an answer may show a change that comes now.
func (l *answers) recent(now time.Duration) bool { return l.busy != nil || now < l.shown }

// ask returns an answer that shows all that this node knew when it was called. It blocks until there is one.
func (a *attendance) ask(ctx context.Context) (*answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted := a.version
	for waited := false; ; waited = true {
		if l := a.list.last; l != nil && l.version >= wanted && (waited || a.good(l)) {
			return l, l.err
		}
		if a.list.busy == nil {
			a.list.busy = make(chan struct{})
			a.hub.life.run(a.question)
		}
		busy := a.list.busy
		a.mu.Unlock()
		var err error
		select {
		case <-busy:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		a.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
}

// good reports whether an answer serves one who has not waited for it. It is called with mu held.
func (a *attendance) good(l *answer) bool {
	return l.err == nil && l.version == a.version && a.hub.now()-l.made < maxAnswerAge && !a.hub.stats.stale.Load()
}

// question asks the broker, after the pause that is due.
func (a *attendance) question() {
	h := a.hub
	a.mu.Lock()
	rest := a.list.pause - h.now()
	a.mu.Unlock()
	if rest > 0 {
		_ = pause(h.ctx, rest) // at the hub's end the question fails
	}
	a.mu.Lock()
	l := &answer{version: a.version}
	for _, c := range a.waiting {
		c.shown = true
	}
	a.mu.Unlock()
	begin := h.now()
	ctx, cancel := context.WithTimeout(h.ctx, requestTimeout)
	defer cancel()
	var p protocol.Presence
	if p, l.err = h.Presence(ctx, a.room.name, maxMembers); l.err == nil {
		l.count = p.Count
		data := protocol.AppendPresenceWithin(nil, p, answerBytes)
		l.tail = frame.Tail(append(data, '}'), a.room.Source())
	}
	l.made = h.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list.last = l
	a.list.pause = l.made + min(max(answerShare*(l.made-begin), minAnswerPause), maxAnswerPause)
	a.list.shown = l.made + presenceSkew
	close(a.list.busy)
	a.list.busy = nil
}

// sendAnswer sends what all are answered, behind a head with the request's id.
func (c *Conn) sendAnswer(id uint64, room string, l *answer) {
	buf := scratch.Get().(*[]byte) //nolint:forcetypeassert // the pool's only type
	defer scratch.Put(buf)
	var header [frame.MaxHeader]byte
	*buf = protocol.AppendOKHead(append((*buf)[:0], header[:]...), protocol.OK{ID: id, Room: room})
	h := frame.AppendHead(header[:0], frame.Text, len(*buf)-len(header)+l.tail.Size())
	head := (*buf)[len(header)-len(h):]
	copy(head, h)
	_ = c.writer.SendAnswer(head, l.tail) // if the connection is gone nobody needs to hear of it
}
