package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// request is a frame to be sent and answered. What it asks is fixed when it is queued; its outcome is
// set once, before done is closed.
type request struct {
	op      protocol.Op
	id      uint64
	room    string
	method  string
	key     string
	data    []byte
	history int           // of join
	sub     *Subscription // of join

	pos     Position  // of join: from where; afterwards the answer's
	first   time.Time // when it was first sent
	refused time.Time // when it was first refused for now
	until   time.Time // not to be sent before, because it was refused for now

	reply []byte
	err   error
	done  chan struct{}
}

func (r *request) size() int { return len(r.room) + len(r.method) + len(r.key) + len(r.data) }

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

func (r *request) append(dst []byte) []byte {
	return protocol.AppendRequest(dst, &protocol.Request{
		Op:       r.op,
		ID:       r.id,
		Room:     []byte(r.room),
		Method:   []byte(r.method),
		Key:      []byte(r.key),
		Data:     r.data,
		History:  r.history,
		Position: protocol.Position{Epoch: []byte(r.pos.Epoch), Offset: r.pos.Offset},
	})
}

// queue holds the requests that wait to be sent or answered, over all connections.
type queue struct {
	maxLen, maxBytes int
	window           time.Duration

	ready chan struct{} // there may be something to send
	idle  chan struct{} // nothing awaits an answer any more

	mu     sync.Mutex
	lastID uint64
	len    int
	bytes  int
	urgent []*request          // joins and leaves, of this connection only and not counted
	wait   []*request          // by id
	later  []*request          // refused for now
	sent   map[uint64]*request // awaiting an answer
	turn   bool                // a join or leave was sent last
	most   int                 // of a message, in bytes; zero for no limit
	paused bool
	closed error
}

func newQueue(maxLen, maxBytes int, window time.Duration) *queue {
	return &queue{
		maxLen:   maxLen,
		maxBytes: maxBytes,
		window:   window,
		ready:    make(chan struct{}, 1),
		idle:     make(chan struct{}, 1),
		sent:     make(map[uint64]*request),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add queues a request behind all others.
func (q *queue) add(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case q.len >= q.maxLen:
		return fmt.Errorf("%w: %d requests", ErrQueueFull, q.len)
	case q.bytes+r.size() > q.maxBytes:
		return fmt.Errorf("%w: %d bytes", ErrQueueFull, q.bytes)
	}
	q.number(r)
	q.len++
	q.bytes += r.size()
	q.wait = append(q.wait, r)
	signal(q.ready)
	return nil
}

// push queues a join or leave before all that is not.
func (q *queue) push(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		r.finish(q.closed)
		return
	}
	q.number(r)
	q.urgent = append(q.urgent, r)
	signal(q.ready)
}

func (q *queue) number(r *request) {
	q.lastID++
	r.id = q.lastID
}

// next appends the frame to be sent now, and counts it as sent. If there is none it says when there may be one without a
// signal from ready.
func (q *queue) next(dst []byte, now time.Time) (frame []byte, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.paused {
		r, wait := q.pick(now)
		if r == nil {
			return dst, wait, false
		}
		switch {
		case r.first.IsZero():
			r.first = now
		case !r.until.IsZero(): // the server has not carried it out
			r.until = time.Time{}
		case now.Sub(r.first) >= q.window:
			q.settle(r, ErrDisconnected)
			continue
		}
		frame := r.append(dst)
		if size := len(frame) - len(dst); q.most > 0 && size > q.most && r.counted() {
			q.settle(r, tooLargeFor(size, q.most))
			continue
		}
		q.sent[r.id] = r
		return frame, 0, true
	}
	return dst, never, false
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

// postpone takes a publication that the server has refused for its rate: it is sent again after that time. It
// reports false if there is no such publication, or if it has been refused for too long.
func (q *queue) postpone(id uint64, after time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.sent[id]
	if r == nil || r.op != protocol.OpPublish {
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
	q.settle(largest, fmt.Errorf("%w: %w", &protocol.Error{Code: protocol.CodeTooLarge, Message: "the server does not read a message of this size"}, why))
	return true
}

func shift(rs []*request) (*request, []*request) {
	r := rs[0]
	rs[0] = nil
	return r, rs[1:]
}

// settle ends a request that is in none of the lists any more.
func (q *queue) settle(r *request, err error) {
	q.release(r)
	r.finish(err)
}

func (q *queue) release(r *request) {
	if r.counted() {
		q.len--
		q.bytes -= r.size()
	}
}

func (r *request) counted() bool { return r.op != protocol.OpJoin && r.op != protocol.OpLeave }

// answer takes out the request with this id; nil where there is none that awaits an answer. The
// caller finishes it.
func (q *queue) answer(id uint64) *request {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.sent[id]
	if r == nil {
		return nil
	}
	delete(q.sent, id)
	q.release(r)
	if len(q.sent) == 0 {
		signal(q.idle)
	}
	return r
}

// await waits for the outcome. When ctx ends first, the request is forgotten: it is not sent any more,
// and its answer, if it had been sent, ignored.
func (q *queue) await(ctx context.Context, r *request) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	default:
	}
	if q.sent[r.id] == r {
		delete(q.sent, r.id)
	} else if i, ok := slices.BinarySearchFunc(q.wait, r.id, byID); ok {
		q.wait = slices.Delete(q.wait, i, i+1)
	} else if i := slices.Index(q.later, r); i >= 0 {
		q.later = slices.Delete(q.later, i, i+1)
	} else {
		// answer has taken it out: the outcome is being written.
		q.mu.Unlock()
		<-r.done
		q.mu.Lock()
		return r.err
	}
	q.settle(r, context.Cause(ctx))
	return r.err
}

func byID(r *request, id uint64) int { return cmp.Compare(r.id, id) }

// pause stops next; what awaits an answer may still get it.
func (q *queue) pause() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = true
}

func (q *queue) unanswered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.sent)
}

// cut sorts out the requests when the connection is lost: publications that were sent wait again, at
// their old place, other requests that were sent fail, joins and leaves are void.
func (q *queue) cut(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sortOut(why)
}

func (q *queue) sortOut(why error) {
	var again []*request
	for _, r := range q.sent {
		switch r.op {
		case protocol.OpPublish:
			again = append(again, r)
		case protocol.OpJoin, protocol.OpLeave:
			r.finish(nil)
		default:
			q.settle(r, fmt.Errorf("%w: %w", ErrDisconnected, why))
		}
	}
	clear(q.sent)
	again = append(again, q.later...)
	q.later = nil
	slices.SortFunc(again, func(a, b *request) int { return cmp.Compare(a.id, b.id) })
	q.wait = append(again, q.wait...)
	for _, r := range q.urgent {
		r.finish(nil)
	}
	q.urgent = nil
	q.paused = false
}

// close fails all requests, and those to come.
func (q *queue) close(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = why
	q.sortOut(why)
	for _, r := range q.wait {
		q.settle(r, why)
	}
	q.wait = nil
}

// publications returns those that are queued or unanswered.
func (q *queue) publications() (rs []*request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.sent {
		if r.op == protocol.OpPublish {
			rs = append(rs, r)
		}
	}
	for _, r := range slices.Concat(q.later, q.wait) {
		if r.op == protocol.OpPublish {
			rs = append(rs, r)
		}
	}
	return rs
}
