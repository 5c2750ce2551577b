package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
)

// Result says which position a stored publication has, and whether it is a duplicate.
type Result = broker.Result

// PublishOption changes a Publish. Publish reports the faults of all its options together.
type PublishOption func(*publishOptions) error

type publishOptions struct {
	idempotencyKey string
	idempotencyTTL time.Duration
	publisher      string // whose idempotency key it is
	conflationKey  string
	binary         bool
	meta           *broker.Meta // what the message carries; nil for nothing
	by             rooms.Author // the client that publishes; nil for the service
}

// IdempotencyKey makes a retry harmless. Within ttl, a publication of the service to the same room with the same key is
// neither stored nor delivered again, and its Result is marked as a duplicate. A ttl of zero means five minutes. By
// default, and with an empty key, a repeated publication is a new message. The keys of clients never match one of these.
func IdempotencyKey(key string, ttl time.Duration) PublishOption {
	return func(o *publishOptions) error {
		if ttl < 0 {
			return fmt.Errorf("IdempotencyKey: a time of %v is negative", ttl)
		}
		o.idempotencyKey, o.idempotencyTTL = key, ttl
		return nil
	}
}

// Binary publishes data of any kind, as it is. By default data is one JSON value, or text on a raw hub. A client of
// hubkit.v1.cbor gets the bytes, a client of hubkit.v1 gets them in base64, and a client of a raw hub gets a binary
// frame.
func Binary() PublishOption {
	return func(o *publishOptions) error {
		o.binary = true
		return nil
	}
}

// Publish sends data to every member of a room, on every node. data is one JSON value, or on a raw hub the content of a
// text or binary frame. You must not change data afterwards. Publish blocks while the room's queue is full, and until
// the broker has the message, until ctx ends. In a room with history the message is stored when Publish returns.
//
// The error matches ErrData, ErrText, ErrOption, broker.ErrRoomName, broker.ErrUnavailable or ErrClosed, or is the
// error of ctx.
func (h *Hub) Publish(ctx context.Context, room string, data []byte, opts ...PublishOption) (Result, error) {
	o, err := apply[publishOptions](opts)
	if err != nil {
		return Result{}, err
	}
	return h.publish(ctx, room, data, o)
}

// PublishJSON publishes v as json.Marshal encodes it. Otherwise it is like Publish. The error may also be that of
// json.Marshal.
func (h *Hub) PublishJSON(ctx context.Context, room string, v any, opts ...PublishOption) (Result, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Result{}, fmt.Errorf("hub: publish: %w", err)
	}
	return h.Publish(ctx, room, data, opts...)
}

func (h *Hub) publish(ctx context.Context, name string, data []byte, o publishOptions) (res Result, err error) {
	if h.conf.tracer != nil {
		var span Span
		ctx, o.meta, span = h.publishing(ctx, name, o.meta, o.by != nil)
		defer h.endPublish(span, &err)
	}
	switch {
	case h.life.Closed():
		return Result{}, ErrClosed
	case !h.conf.raw && !o.binary && !protocol.Valid(data):
		return Result{}, ErrData
	case h.conf.raw && !o.binary && !utf8.Valid(data):
		return Result{}, ErrText
	}
	res, degraded, err := h.rooms.Publish(ctx, name, broker.Publication{
		Data:           data,
		Binary:         o.binary,
		JSON:           !h.conf.raw && !o.binary,
		ConflationKey:  o.conflationKey,
		IdempotencyKey: o.idempotencyKey,
		IdempotencyTTL: o.idempotencyTTL,
		Publisher:      o.publisher,
		Meta:           o.meta,
	}, o.by)
	switch {
	case err != nil:
	case res.Duplicate:
		h.stats.duplicates.Add(1)
	default:
		h.stats.published.Add(1)
	}
	if degraded {
		h.stats.degraded.Add(1)
	}
	return res, err
}

// receiver is the hub as the broker sees it.
type receiver struct {
	*rooms.Node
	h *Hub
}

var _ broker.RoomFinder = receiver{}

// StateChanged implements broker.Receiver.
func (x receiver) StateChanged(s broker.State) {
	h := x.h
	if h.stats.stale.Swap(s == broker.Stale) == (s == broker.Stale) {
		return
	}
	h.log.Warn("broker state changed", "state", s.String())
	if h.conf.raw {
		return
	}
	h.life.Run(func() {
		if s == broker.Live {
			h.rooms.AwaitSent(h.ctx) // clients get what they missed before the live frame
			h.rooms.PresenceMissed()
		}
		for _, c := range h.conns.All() {
			(*greeting)(c).tellState()
		}
	})
}
