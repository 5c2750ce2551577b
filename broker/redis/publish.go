package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // how Redis names scripts
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/resp"
)

// Publish hands a message to every subscribed node. If the publication has a retention, the same script stores it
// first. Publish waits for the answer of Redis, no longer than ctx. If ctx has no end, it waits until the
// connection counts as broken. After an error that matches broker.ErrUnavailable, whether Redis took the message is
// unknown.
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
	l, br := b.routes.lane(room)
	if err := br.check(); err != nil {
		return broker.Result{}, err
	}
	res, err := l.publish(ctx, room, &p)
	if err == nil {
		return res, nil
	}
	if !errors.Is(err, errNotDone) {
		return broker.Result{}, b.judge(br, err)
	}
	if isPlain(&p) {
		return broker.Result{}, b.publishPlain(ctx, b.names.room(room), encodePlain(&p))
	}
	return b.store(ctx, room, &p)
}

// isPlain tells whether a publication can do without the script.
func isPlain(p *broker.Publication) bool { return !p.Retention.Enabled() && p.IdempotencyKey == "" }

// publishPlain publishes by rueidis. If channels are not sharded, a replica takes publications without an error. A write
// in front of the publication gets one.
func (b *Broker) publishPlain(ctx context.Context, channel, envelope string) error {
	if b.cluster {
		_, err := b.do(ctx, channel, b.client.B().Spublish().Channel(channel).Message(envelope).Build())
		return err
	}
	br := b.routes.breaker(channel)
	if err := br.check(); err != nil {
		return err
	}
	results := b.client.DoMulti(ctx, b.probeWrite(b.client, ""),
		b.client.B().Publish().Channel(b.names.onWire(channel)).Message(envelope).Build())
	if err := results[0].Error(); conditionOf(err) == replica {
		return b.judge(br, err)
	}
	return b.judge(br, results[1].Error())
}

// store publishes by the script.
func (b *Broker) store(ctx context.Context, room string, p *broker.Publication) (broker.Result, error) {
	channel, meta, log := b.names.history(room)
	k := b.keyOf(channel, log, room, p)
	res, err := b.exec(ctx, channel, publishScript, []string{meta, log, k.name}, []string{
		b.names.onWire(channel), b.verbs.publish, text(p.Data), keyPart(p), strconv.Itoa(int(flagsOf(p))),
		strconv.Itoa(p.Retention.Size), milliseconds(p.Retention.TTL), b.metadataAge(p.Retention),
		strconv.FormatInt(k.forget, 10), k.id, strconv.Itoa(k.most), strconv.FormatInt(p.Retention.MaxBytes(), 10),
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

// publishHash is the name by which a server knows the script.
var publishHash = hashOf(publishSource)

// hashOf is the name by which a server knows a script.
func hashOf(source string) string {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // no secret depends on it
	return hex.EncodeToString(sum[:])
}

// appendPublication appends the command that publishes: what publishPlain and store have rueidis send, made in
// place.
func (b *Broker) appendPublication(dst []byte, room string, p *broker.Publication) []byte {
	if isPlain(p) {
		dst = resp.AppendWord(resp.AppendHead(dst, 3), b.verbs.publish)
		dst = b.appendName(dst, room, b.names.suffix)
		key := keyPart(p)
		dst = resp.AppendSize(dst, sizeOfPlain(p.Data, key))
		return append(appendPlain(dst, p, key), '\r', '\n')
	}
	dst = resp.AppendHead(dst, 18)
	dst = resp.AppendWord(dst, "EVALSHA")
	dst = resp.AppendWord(dst, publishHash)
	dst = resp.AppendNumber(dst, 3)
	dst = b.appendName(dst, room, ":meta")
	dst = b.appendName(dst, room, ":log")
	var k key
	if p.IdempotencyKey == "" {
		dst = b.appendName(dst, room, ":log")
	} else {
		k = b.keyOf(b.names.room(room), "", room, p)
		dst = resp.AppendWord(dst, k.name)
	}
	dst = b.appendName(dst, room, b.names.suffix)
	dst = resp.AppendWord(dst, b.verbs.publish)
	dst = resp.AppendWord(dst, p.Data)
	dst = resp.AppendWord(dst, keyPart(p))
	dst = resp.AppendNumber(dst, int64(flagsOf(p)))
	dst = resp.AppendNumber(dst, int64(p.Retention.Size))
	dst = resp.AppendNumber(dst, wholeMillis(p.Retention.TTL))
	dst = resp.AppendWord(dst, b.metadataAge(p.Retention))
	dst = resp.AppendNumber(dst, k.forget)
	dst = resp.AppendWord(dst, k.id)
	dst = resp.AppendNumber(dst, int64(k.most))
	return resp.AppendNumber(dst, p.Retention.MaxBytes())
}

// key is what the script is told of an idempotency key.
type key struct {
	name   string // of the Redis key that holds it
	id     string
	most   int   // are held there
	forget int64 // after so many milliseconds; 0 where there is no key
}

// keyOf returns the key of a publication; none is the name where there is none.
func (b *Broker) keyOf(channel, none, room string, p *broker.Publication) key {
	switch {
	case p.IdempotencyKey == "":
		return key{name: none}
	case p.Publisher == "":
		return key{b.names.service(channel), p.IdempotencyKey, b.serviceKeys, wholeMillis(p.KeyTTL())}
	}
	name := b.names.publisher(channel, p.Publisher, b.cluster)
	return key{name, keyID(room, p.IdempotencyKey), b.publisherKeys, wholeMillis(p.KeyTTL())}
}

// appendName appends the channel of a room, with something after it, as a word.
func (b *Broker) appendName(dst []byte, room, after string) []byte {
	dst = resp.AppendSize(dst, b.names.sizeOfRoom(room)+len(after))
	dst = append(b.names.appendRoom(dst, room), after...)
	return append(dst, '\r', '\n')
}

var errAnswer = errors.New("unexpected answer of a script")

// wholeMillis is a duration as Redis has it, which knows none shorter than a millisecond.
func wholeMillis(d time.Duration) int64 {
	if d > 0 {
		d = max(d, time.Millisecond)
	}
	return d.Milliseconds()
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(wholeMillis(d), 10) }

// metadataAge is how long the metadata of a room lives.
func (b *Broker) metadataAge(r broker.Retention) string {
	if r.TTL <= b.metadataTTL {
		return b.metadataMillis
	}
	return milliseconds(r.TTL)
}
