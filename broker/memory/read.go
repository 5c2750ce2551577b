package memory

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
)

// Read returns stored messages. With a retention in the query it begins the history of a room that
// has none, so that the position it returns can be resumed from: a reader that was there before the
// first message learns of a gap like any other. Without one, a room without history has no position.
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
		if !q.Retention.Enabled() {
			return broker.Page{Gap: !q.Since.IsZero()}, nil
		}
		r = b.findOrMake(name)
	}
	page, err := b.read(r, &q)
	if b.used.Load() > b.maxHistoryBytes {
		b.makeRoom()
	}
	return page, err
}

// read takes a locked room and releases it.
func (b *Broker) read(r *room, q *broker.Query) (broker.Page, error) {
	defer b.release(r)
	if !b.open() {
		return broker.Page{}, broker.ErrClosed
	}
	now := b.now()
	if q.Retention.Enabled() {
		b.historyOf(r, q.Retention.TTL).touched = now
	}
	h := r.history
	if h == nil {
		return broker.Page{Gap: !q.Since.IsZero()}, nil
	}
	before := h.bytes
	h.expire(now)
	b.used.Add(h.bytes - before)
	b.plan(r)
	return h.read(q), nil
}
