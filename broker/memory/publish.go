package memory

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
)

// Subscribe registers interest in rooms. If a name is invalid, no room is subscribed. It blocks only for the
// rooms' locks. The broker keeps the names without copying them.
func (b *Broker) Subscribe(ctx context.Context, rooms ...string) error {
	return b.interest(ctx, rooms, func(name string) {
		r := b.findOrKeep(name)
		if !r.subscribed && r.history == nil {
			r.void = b.voids.of(r.name)
		}
		r.subscribed = true
		if b.finder != nil {
			r.to = b.finder.Room(r.name)
		}
		b.release(r)
	})
}

// Unsubscribe ends the interest in rooms. It blocks only for the rooms' locks.
func (b *Broker) Unsubscribe(ctx context.Context, rooms ...string) error {
	return b.interest(ctx, rooms, func(name string) {
		r := b.find(name)
		if r == nil {
			return
		}
		if r.subscribed && r.history != nil {
			// Until now somebody had a position here: the metadata's time begins.
			r.history.touched = b.now()
		}
		r.subscribed, r.to, r.void = false, nil, ""
		b.plan(r)
		b.release(r)
	})
}

func (b *Broker) interest(ctx context.Context, rooms []string, change func(name string)) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	for _, name := range rooms {
		if err := broker.CheckRoom(name); err != nil {
			return err
		}
	}
	for _, name := range rooms {
		change(name)
	}
	return nil
}

// Publish stores the message if the publication has a retention. It delivers it if the room is subscribed, and
// returns after that. The receiver is called in the caller's goroutine. A publication without retention to a room
// with history is delivered without a position and not stored.
func (b *Broker) Publish(ctx context.Context, name string, p broker.Publication) (broker.Result, error) {
	if err := b.ready(ctx); err != nil {
		return broker.Result{}, err
	}
	if err := p.Check(); err != nil {
		return broker.Result{}, err
	}
	r, err := b.findOrCheck(name)
	if err != nil {
		return broker.Result{}, err
	}
	if r == nil {
		if p.IdempotencyKey == "" && !p.Retention.Enabled() {
			return broker.Result{}, nil
		}
		r = b.findOrMake(name)
	}
	res, err := b.publish(r, &p)
	b.bound()
	return res, err
}

// publish takes a locked room and releases it.
func (b *Broker) publish(r *room, p *broker.Publication) (broker.Result, error) {
	defer b.release(r)
	if !b.open() {
		return broker.Result{}, broker.ErrClosed
	}
	pos, duplicate := b.store(r, p)
	if r.subscribed && !duplicate {
		if r.out == nil {
			r.out = new([1]broker.Message)
		}
		r.out[0] = broker.Message{Data: p.Data, Binary: p.Binary, JSON: p.JSON, ConflationKey: p.ConflationKey, Position: pos, Meta: p.Meta}
		if r.to != nil {
			r.to.Deliver(r.out[:])
		} else {
			b.receiver.Deliver(r.name, r.out[:])
		}
		r.out[0] = broker.Message{}
	}
	return broker.Result{Position: pos, Duplicate: duplicate}, nil
}

// store stores the message and the idempotency key of a publication, and reports whether the key was known.
func (b *Broker) store(r *room, p *broker.Publication) (pos broker.Position, duplicate bool) {
	if p.IdempotencyKey != "" {
		return b.storeKeyed(r, p)
	}
	if p.Retention.Enabled() {
		pos = b.append(r, p, b.now())
		b.plan(r)
	}
	return pos, false
}

// storeKeyed is store for a publication with an idempotency key.
func (b *Broker) storeKeyed(r *room, p *broker.Publication) (pos broker.Position, duplicate bool) {
	holder, limit := r, b.idempotencyKeys
	if p.Publisher != "" {
		holder, limit = b.findOrMake(publisherRoom(p.Publisher)), b.publisherKeys
		defer b.release(holder)
	}
	now, id := b.now(), keyID(r.name, p.IdempotencyKey)
	if holder.keys != nil {
		if pos, ok := holder.keys.find(id, now); ok {
			return pos, true
		}
	}
	if p.Retention.Enabled() {
		pos = b.append(r, p, now)
	}
	b.remember(holder, id, after(now, p.KeyTTL()), pos, now, limit)
	b.plan(r)
	b.plan(holder)
	return pos, false
}

func (b *Broker) append(r *room, p *broker.Publication, now int64) broker.Position {
	h := b.historyOf(r, p.Retention.TTL)
	before := h.bytes
	pos := h.append(p, now)
	b.used.Add(h.bytes - before)
	return pos
}
