package memory

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
)

// Subscribe registers interest in rooms; an invalid name among them leaves all as they were. It does
// not block on anything but the rooms' locks.
func (b *Broker) Subscribe(ctx context.Context, rooms ...string) error {
	return b.interest(ctx, rooms, func(name string) {
		r := b.findOrMake(name)
		r.subscribed = true
		b.release(r)
	})
}

// Unsubscribe ends the interest.
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
		r.subscribed = false
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

// Publish stores the message, where the publication asks for it, and delivers it, where the room is
// subscribed, before it returns. A publication without retention to a room that has history is
// delivered without a position and not stored.
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
	if b.used.Load() > b.maxHistoryBytes {
		b.makeRoom()
	}
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
		r.out[0] = broker.Message{Data: p.Data, Binary: p.Binary, Key: p.Key, Position: pos}
		b.receiver.Deliver(r.name, r.out[:])
		r.out[0] = broker.Message{}
	}
	return broker.Result{Position: pos, Duplicate: duplicate}, nil
}

// store keeps what the publication asks to keep, and tells whether its idempotency key was known.
func (b *Broker) store(r *room, p *broker.Publication) (pos broker.Position, duplicate bool) {
	keyed, kept := p.IdempotencyKey != "", p.Retention.Enabled()
	if !keyed && !kept {
		return pos, false
	}
	now := b.now()
	if keyed && r.keys != nil {
		if pos, ok := r.keys.find(p.IdempotencyKey, now); ok {
			return pos, true
		}
	}
	if kept {
		pos = b.append(r, p, now)
	}
	if keyed {
		if r.keys == nil {
			r.keys = newKeys(r)
		}
		r.keys.add(p, pos, now, b.idempotencyKeys)
	}
	b.plan(r)
	return pos, false
}

func (b *Broker) append(r *room, p *broker.Publication, now int64) broker.Position {
	h := b.historyOf(r, p.Retention.TTL)
	before := h.bytes
	pos := h.append(p, now)
	b.used.Add(h.bytes - before)
	return pos
}
