package client

import (
	"fmt"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// next appends the frame of the request to be sent now, and counts that as sent. If there is none it says when there may be one without a
// signal from ready.
func (q *queue) next(dst []byte, now time.Time) (r *request, frame []byte, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.paused {
		r, wait := q.pick(now)
		if r == nil {
			return nil, dst, wait
		}
		switch {
		case r.first.IsZero():
			r.first = now
		case !r.until.IsZero() && !r.lost: // the server has not carried it out
		case now.Sub(r.first) >= q.window:
			q.finish(r, ErrDisconnected)
			continue
		}
		frame := r.append(dst)
		if size := len(frame) - len(dst); q.most > 0 && size > q.most && r.counted() {
			q.finish(r, tooLargeFor(size, q.most))
			continue
		}
		r.until = time.Time{}
		q.sent[r.id] = r
		return r, frame, 0
	}
	return nil, dst, never
}

// never is a wait that does not end by itself.
const never = time.Hour

// tooLargeFor is the error of a request that is larger than the server reads.
func tooLargeFor(size, most int) error {
	return &protocol.Error{
		Code:    protocol.CodeTooLarge,
		Message: fmt.Sprintf("the message has %d bytes, and the server reads at most %d", size, most),
	}
}

// pick takes the request whose turn it is. Joins and leaves alternate with all else, so that neither waits for the end of
// the other; but what is asked of a room does not overtake its join.
func (q *queue) pick(now time.Time) (r *request, wait time.Duration) {
	if r, wait = q.due(now); r != nil {
		return r, 0
	}
	switch {
	case len(q.wait) == 0 && len(q.urgent) == 0:
		return nil, wait
	case len(q.wait) == 0 || len(q.urgent) > 0 && !q.turn:
		q.turn = true
		r, q.urgent = shift(q.urgent)
		return r, 0
	}
	q.turn = false
	if i := slices.IndexFunc(q.urgent, func(r *request) bool { return r.room == q.wait[0].room }); i >= 0 {
		r = q.urgent[i]
		q.urgent = slices.Delete(q.urgent, i, i+1)
		return r, 0
	}
	r, q.wait = shift(q.wait)
	return r, 0
}

// due takes the oldest request whose time has come again, or says how long that takes.
func (q *queue) due(now time.Time) (*request, time.Duration) {
	wait, oldest := never, -1
	for i, r := range q.later {
		if d := r.until.Sub(now); d > 0 {
			wait = min(wait, d)
		} else if oldest < 0 || r.id < q.later[oldest].id {
			oldest = i
		}
	}
	if oldest < 0 {
		return nil, wait
	}
	r := q.later[oldest]
	q.later = slices.Delete(q.later, oldest, oldest+1)
	return r, 0
}

// limit sets the size of the largest message that the server reads, in bytes; zero if it does not say.
func (q *queue) limit(most int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.most = most
}

// postpone takes a request that the server has refused for the connection's rate: it is sent again after that time. It
// reports false if there is no such request, if it has been refused for too long, or if it may be a handler that has refused it.
func (q *queue) postpone(id uint64, after time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.sent[id]
	if r == nil || r.op == protocol.OpJoin || r.op == protocol.OpCall || r.op == protocol.OpSend {
		return false
	}
	now := time.Now()
	if r.refused.IsZero() {
		r.refused = now
	}
	if now.Sub(r.refused) >= DefaultRetryWindow {
		return false
	}
	r.until = now.Add(max(after, time.Millisecond))
	delete(q.sent, id)
	q.later = append(q.later, r)
	if len(q.sent) == 0 {
		signal(q.idle)
	}
	signal(q.ready)
	return true
}

// dropLargest fails the largest request that awaits an answer, after the server has refused to read one. It reports
// whether there was one.
func (q *queue) dropLargest(why error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	var largest *request
	for _, r := range q.sent {
		if r.counted() && (largest == nil || r.size() > largest.size()) {
			largest = r
		}
	}
	if largest == nil {
		return false
	}
	delete(q.sent, largest.id)
	q.finish(largest, fmt.Errorf("%w: %w", &protocol.Error{Code: protocol.CodeTooLarge, Message: "the server does not read a message of this size"}, why))
	return true
}

func shift(rs []*request) (*request, []*request) {
	r := rs[0]
	rs[0] = nil
	return r, rs[1:]
}
