package rooms

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// Publish hands a publication to the broker, with the retention of the room, and with what the room's rule wants to be known
// of when it was published and by whom. by may be nil. It blocks while the queue that the room has here
// is full. degraded reports that the broker could not be reached, and that only the members here are sent the message.
//
// The error matches Errors.Closed, or is the broker's or that of ctx.
func (n *Node) Publish(ctx context.Context, name string, p broker.Publication, by Author) (res broker.Result, degraded bool, err error) {
	r := n.index.find(name)
	var rule *Rule
	began := time.Duration(0)
	if rand.Uint32()%sampleEvery == 0 {
		began = n.begin(r, p.Data)
	}
	if r == nil {
		rule = n.conf.Rule(name)
	} else {
		rule = r.rule
		if err := r.Ready(ctx); err != nil {
			n.forget(began)
			return res, false, err
		}
	}
	p.Retention = rule.Retention
	p.Meta = rule.noted(p.Meta, by)
	res, err = n.conf.Store(ctx, name, p)
	if began != 0 {
		n.stored(began, err == nil && !res.Duplicate)
	}
	switch {
	case err == nil:
	case n.conf.Degrade && !p.Retention.Enabled() && errors.Is(err, broker.ErrUnavailable):
		if r != nil {
			m := broker.Message{Data: p.Data, Binary: p.Binary, JSON: p.JSON, ConflationKey: p.ConflationKey, Meta: p.Meta}
			n.deliver(r, []broker.Message{m}, false)
		}
		return res, true, nil
	case errors.Is(err, broker.ErrClosed):
		err = n.conf.Errors.Closed
	}
	return res, false, err
}
