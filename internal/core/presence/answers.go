package presence

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// maxMembers and maxBytes bound what an answer to presence lists: the Go client reads 1 MiB, others may read less.
	// It always counts all.
	maxMembers = 1000
	maxBytes   = 48 << 10

	// answerShare is which part of the time the broker may be asked about one room, and the pause that follows a question is
	// in these bounds.
	answerShare    = 20
	minAnswerPause = 50 * time.Millisecond
	maxAnswerPause = 2 * time.Second
	// maxAnswerAge is how long an answer is good that no change has made old: events may be lost.
	maxAnswerAge = 5 * time.Second
	// skew is how much later than an answer a change may come that the answer shows already.
	skew = 2 * time.Second
)

// answers are made once for all members of a room that ask. They are guarded by the Attendance's mu.
type answers struct {
	last  *Answer       // nil before the first
	busy  chan struct{} // closed when the question under way is answered; nil without one
	pause time.Duration // no question before that
	shown time.Duration // changes may be in an answer until then
}

// Answer is what the broker said, with the version that this node knew when it asked.
type Answer struct {
	// Count is how many members there are.
	Count int
	// Users is how many distinct users they are; zero if that is not known, or if all are anonymous.
	Users int
	// Listed is how many members the answer lists, or somewhat fewer if they are large.
	Listed int
	// data is the data of an ok frame, in the first with the end of a JSON one. It is shared and never changed.
	closed, bare *frame.Batch

	version uint64
	made    time.Duration
	err     error
}

// Data is the data of an ok frame of a codec, and what ends the frame.
func (l *Answer) Data(x codec.Codec) *frame.Batch {
	if x.Tail() == "" {
		return l.bare
	}
	return l.closed
}

// errUnanswered is the error of a question whose call of the broker did not return.
var errUnanswered = errors.New("presence: the broker failed")

// recent reports whether an answer may show a change that comes now.
func (l *answers) recent(now time.Duration) bool { return l.busy != nil || now < l.shown }

// Ask returns an answer that shows all that this node knew when it was called. It blocks until there is one.
func (a *Attendance) Ask(ctx context.Context) (*Answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted := a.version
	for waited := false; ; waited = true {
		if l := a.list.last; l != nil && l.version >= wanted && (waited || a.good(l)) {
			return l, l.err
		}
		if a.list.busy == nil {
			a.list.busy = make(chan struct{})
			a.node.conf.Run(a.question)
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
func (a *Attendance) good(l *Answer) bool {
	return l.err == nil && l.version == a.version && a.node.now()-l.made < maxAnswerAge && !a.node.conf.Stale()
}

// question asks the broker, after the pause that is due. Those who wait are answered even if the broker panics.
func (a *Attendance) question() {
	n := a.node
	a.mu.Lock()
	rest := a.list.pause - n.now()
	a.mu.Unlock()
	if rest > 0 {
		wait(n.conf.Context, rest) // at the hub's end the question fails
	}
	a.mu.Lock()
	l := &Answer{version: a.version, err: errUnanswered}
	for _, c := range a.waiting {
		c.shown = true
	}
	a.mu.Unlock()
	begin := n.now()
	defer func() {
		l.made = n.now()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.list.last = l
		a.list.pause = l.made + min(max(answerShare*(l.made-begin), minAnswerPause), maxAnswerPause)
		a.list.shown = l.made + skew
		close(a.list.busy)
		a.list.busy = nil
		if l.err == nil {
			a.sized(l.Count)
		}
	}()
	ctx, cancel := context.WithTimeout(n.conf.Context, n.conf.Timeout)
	defer cancel()
	p, err := n.List(ctx, a.room, maxMembers)
	if err == nil {
		l.Count, l.Users, l.Listed = p.Count, p.Users, len(p.Members)
		appendList := protocol.AppendPresenceWithin
		if n.pages != nil {
			appendList = protocol.AppendPresencePage
		}
		data := appendList(nil, p, maxBytes)
		data = append(data, codec.JSON{}.Tail()...)
		l.closed = frame.Tail(data, a.members.Source())
		l.bare = frame.Tail(data[:len(data)-len(codec.JSON{}.Tail())], a.members.Source())
	}
	l.err = err
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Page returns a part of the list: up to limit members that follow a cursor, or fewer if they are large, as the data of an ok
// frame. It asks the broker for them. It also returns how many they are.
func (a *Attendance) Page(ctx context.Context, after string, limit int) (data []byte, listed int, err error) {
	whole, err := a.Ask(ctx)
	if err != nil {
		return nil, 0, err
	}
	p, err := a.node.Page(ctx, a.room, after, min(limit, maxMembers))
	if err != nil {
		return nil, 0, err
	}
	p.Count, p.Users = whole.Count, whole.Users
	if a.node.pages == nil {
		return protocol.AppendPresenceWithin(nil, p, maxBytes), len(p.Members), nil
	}
	return protocol.AppendPresencePage(nil, p, maxBytes), len(p.Members), nil
}
