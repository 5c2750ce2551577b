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
	binary  bool // data is no JSON
	token   string
	history int           // of join
	sub     *Subscription // of join
	page    page          // of history and presence

	tags                    []byte // of publish, as JSON; so are the next
	traceParent, traceState string
	noEcho                  bool

	pos     Position  // of join and history: from where; afterwards the answer's
	first   time.Time // when it was first sent
	lost    bool      // an answer was lost
	refused time.Time // when it was first refused for now
	until   time.Time // not to be sent before, because it was refused for now

	reply []byte
	err   error
	done  chan struct{}
}

func (r *request) size() int {
	return len(r.room) + len(r.method) + len(r.key) + len(r.data) + len(r.tags) + len(r.traceParent) + len(r.traceState)
}

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

func (r *request) append(dst []byte) []byte {
	return protocol.AppendRequest(dst, &protocol.Request{
		Op:             r.op,
		ID:             r.id,
		Room:           []byte(r.room),
		Method:         []byte(r.method),
		IdempotencyKey: []byte(r.key),
		Data:           r.data,
		Binary:         r.binary,
		Token:          []byte(r.token),
		History:        r.history,
		Limit:          r.page.limit,
		Reverse:        r.page.reverse,
		Count:          r.page.count,
		After:          []byte(r.page.after),
		Tags:           r.tags,
		TraceParent:    []byte(r.traceParent),
		TraceState:     []byte(r.traceState),
		NoEcho:         r.noEcho,
		Position:       protocol.Position{Epoch: []byte(r.pos.Epoch), Offset: r.pos.Offset},
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
	urgent []*request          // joins, leaves and tokens, of this connection only and not counted
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

// push queues a join, a leave or a token before all else.
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

// finish ends a request that is in none of the lists any more.
func (q *queue) finish(r *request, err error) {
	q.release(r)
	r.finish(err)
}

func (q *queue) release(r *request) {
	if r.counted() {
		q.len--
		q.bytes -= r.size()
	}
}

func (r *request) counted() bool {
	return r.op != protocol.OpJoin && r.op != protocol.OpLeave && r.op != protocol.OpToken
}

// answer takes out the request with this id; nil if there is none that awaits an answer. The
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
	q.finish(r, context.Cause(ctx))
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
// their old place, other requests that were sent fail, joins, leaves and tokens are void.
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
			r.lost = true
			again = append(again, r)
		case protocol.OpJoin, protocol.OpLeave, protocol.OpToken:
			r.finish(nil)
		default:
			q.finish(r, fmt.Errorf("%w: %w", ErrDisconnected, why))
		}
	}
	clear(q.sent)
	for _, r := range q.later {
		if r.counted() {
			again = append(again, r)
		} else {
			r.finish(nil)
		}
	}
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
		q.finish(r, why)
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
