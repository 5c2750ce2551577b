package hub

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// The bounds of the queue for the function of a Tail.
const (
	tailMessages = 256
	tailBytes    = 1 << 20
)

// Tailed is a message of a room as Tail sees it.
type Tailed struct {
	Room string
	// Position is zero in a room without history.
	Position broker.Position
	// Time is when the message came to this node.
	Time time.Time
	// Data is a copy. Binary is set for a binary frame of a raw hub.
	Data   []byte
	Binary bool
	// Missed is how many messages before this one were left out, because Tail's queue was full.
	Missed int64
}

// Tail calls f with each message that comes to a room from now on, until ctx ends or the hub does. It needs no
// connection and is no member of the room: members notice nothing, and no callback is called. It also sees messages
// that are not for all members.
//
// f is called in the caller's goroutine. If f is slow, up to 256 messages or 1 MiB wait. Further ones are left out and
// counted in Missed. A message costs a copy for each Tail of its room. Rooms without a Tail cost nothing more.
//
// Tail blocks. The error is that of ctx, or matches ErrClosed, broker.ErrRoomName or broker.ErrUnavailable.
func (h *Hub) Tail(ctx context.Context, room string, f func(Tailed)) error {
	if !h.life.Serving() {
		return ErrClosed
	}
	q := newTailQueue[Tailed]()
	stop, err := h.rooms.Tap(ctx, room, func(m *broker.Message) {
		q.add(len(m.Data), func(missed int64) Tailed {
			return Tailed{Room: room, Position: m.Position, Time: time.Now(), Data: bytes.Clone(m.Data), Binary: m.Binary, Missed: missed}
		})
	})
	if err != nil {
		return err
	}
	defer stop()
	if err := q.run(ctx, h.ctx.Done(), f); err != nil {
		return err
	}
	return ErrClosed
}

// tailQueue is the queue for the function of a Tail or a TailConn.
type tailQueue[T any] struct {
	more chan struct{}

	mu     sync.Mutex
	queue  []T
	bytes  int
	missed int64
}

func newTailQueue[T any]() *tailQueue[T] { return &tailQueue[T]{more: make(chan struct{}, 1)} }

// add adds what keep returns, if there is a place for size bytes. keep gets the number of items that were left out
// before. add does not block.
func (q *tailQueue[T]) add(size int, keep func(missed int64) T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) >= tailMessages || len(q.queue) > 0 && q.bytes+size > tailBytes {
		q.missed++
		return
	}
	q.bytes += size
	q.queue = append(q.queue, keep(q.missed))
	q.missed = 0
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *tailQueue[T]) take() (all []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all, q.queue, q.bytes = q.queue, nil, 0
	return all
}

// run calls f with what comes until over is closed, and then with what has come before that. The error is that of ctx.
func (q *tailQueue[T]) run(ctx context.Context, over <-chan struct{}, f func(T)) error {
	for ended := false; ; {
		for _, m := range q.take() {
			if ctx.Err() != nil {
				break
			}
			f(m)
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case ended:
			return nil
		}
		select {
		case <-q.more:
		case <-ctx.Done():
		case <-over:
			ended = true
		}
	}
}
