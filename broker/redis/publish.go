package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

// Publish hands a message to every subscribed node, and stores it first where the publication asks for it, in
// one step. It waits for Redis to answer: no longer than ctx, and where ctx has no end until the
// connection counts as broken.
func (b *Broker) Publish(ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
	if err := b.ready(ctx); err != nil {
		return broker.Result{}, err
	}
	if err := p.Check(); err != nil {
		return broker.Result{}, err
	}
	if err := broker.CheckRoom(room); err != nil {
		return broker.Result{}, err
	}
	if !p.Retention.Enabled() && p.IdempotencyKey == "" {
		channel := b.names.room(room)
		_, err := b.do(ctx, channel, b.publishCommand(channel, encodePlain(p.Data, p.Key, p.Binary)))
		return broker.Result{}, err
	}
	return b.store(ctx, room, p)
}

func (b *Broker) publishCommand(channel, envelope string) rueidis.Completed {
	if b.cluster {
		return b.client.B().Spublish().Channel(channel).Message(envelope).Build()
	}
	return b.client.B().Publish().Channel(channel).Message(envelope).Build()
}

// store publishes by the script.
func (b *Broker) store(ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
	channel, meta, log, idem := b.names.history(room, p.IdempotencyKey)
	forget := "0"
	if p.IdempotencyKey != "" {
		forget = milliseconds(p.IdempotencyTTL, broker.DefaultIdempotencyTTL)
	}
	flags := "0"
	if p.Binary {
		flags = "1"
	}
	res, err := b.exec(ctx, channel, publishScript, []string{meta, log, idem}, []string{
		channel, b.verbs.publish, text(p.Data), p.Key, flags,
		strconv.Itoa(p.Retention.Size), milliseconds(p.Retention.TTL, 0), b.metadataAge(p.Retention), forget,
	})
	if err != nil {
		return broker.Result{}, err
	}
	answer, err := res.ToArray()
	if err != nil {
		return broker.Result{}, unavailable(err)
	}
	if len(answer) != 3 {
		return broker.Result{}, unavailable(errAnswer)
	}
	epoch, err1 := answer[0].ToString()
	offset, err2 := answer[1].AsInt64()
	duplicate, err3 := answer[2].AsInt64()
	if err := errors.Join(err1, err2, err3); err != nil {
		return broker.Result{}, unavailable(err)
	}
	return broker.Result{
		Position:  broker.Position{Epoch: epoch, Offset: uint64(offset)},
		Duplicate: duplicate == 1,
	}, nil
}

var errAnswer = errors.New("unexpected answer of a script")

// milliseconds formats a duration for Redis, which knows none shorter than one.
func milliseconds(d, or time.Duration) string {
	if d == 0 {
		d = or
	}
	if d > 0 {
		d = max(d, time.Millisecond)
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}

// metadataAge is how long the metadata of a room lives.
func (b *Broker) metadataAge(r broker.Retention) string {
	if r.TTL <= b.metadataTTL {
		return b.metadataMillis
	}
	return milliseconds(r.TTL, 0)
}
