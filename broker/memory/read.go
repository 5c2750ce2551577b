package memory

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
)

// Read returns stored messages. It blocks only for the room's lock. It makes no history for a room that has none. If the
// query has a retention, such a room has a position too, and a reader that resumes from it learns of a gap as usual. If the
// query has no retention, such a room has no position.
func (b *Broker) Read(ctx context.Context, name string, q broker.Query) (broker.Page, error) {
	if err := b.ready(ctx); err != nil {
		return broker.Page{}, err
	}
	if err := q.Check(); err != nil {
		return broker.Page{}, err
	}
	r, err := b.findOrCheck(name)
	if err != nil {
		return broker.Page{}, err
	}
	if r == nil {
		return void(&q, func() string { return b.voids.of(name) }), nil
	}
	return b.read(r, &q)
}

// void is the page of a room without history, whose epoch is asked for if the query wants a position.
func void(q *broker.Query, epoch func() string) broker.Page {
	if !q.Retention.Enabled() {
		return broker.Page{Gap: !q.Since.IsZero()}
	}
	top := broker.Position{Epoch: epoch()}
	gap := !q.Since.IsZero() && (q.Since.Epoch != top.Epoch || q.Since.Offset > 0 && !q.Reverse)
	return broker.Page{Top: top, Gap: gap}
}

// read takes a locked room and releases it.
func (b *Broker) read(r *room, q *broker.Query) (broker.Page, error) {
	defer b.release(r)
	if !b.open() {
		return broker.Page{}, broker.ErrClosed
	}
	h := r.history
	if h == nil {
		return void(q, func() string { return b.voidEpoch(r) }), nil
	}
	now := b.now()
	if q.Retention.Enabled() {
		h.touched, h.ttl = now, q.Retention.TTL
	}
	before := h.bytes
	h.expire(now)
	b.used.Add(h.bytes - before)
	b.plan(r)
	return h.read(q), nil
}
