package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Result says where a publication is stored.
type Result = broker.Result

// PublishOption changes a Publish, which reports every fault of every option together.
type PublishOption func(*publishOptions) error

type publishOptions struct {
	idempotencyKey string
	idempotencyTTL time.Duration
	publisher      string // whose idempotency key it is
	conflationKey  string
	binary         bool
}

// IdempotencyKey makes a retry harmless: within ttl a publication of the service to the same room with the same key is
// neither stored nor delivered again. Zero is five minutes. Keys that clients send are never taken for one of these.
func IdempotencyKey(key string, ttl time.Duration) PublishOption {
	return func(o *publishOptions) error {
		if ttl < 0 {
			return fmt.Errorf("IdempotencyKey: a time of %v is negative", ttl)
		}
		o.idempotencyKey, o.idempotencyTTL = key, ttl
		return nil
	}
}

// Binary publishes a binary frame. Only raw hubs have them.
func Binary() PublishOption {
	return func(o *publishOptions) error {
		o.binary = true
		return nil
	}
}

// Publish sends data to every member of a room, on every node: one JSON value, or on a raw hub the text or
// binary frame as it is. data must not be changed afterwards. It blocks while the room's queue is full, for
// as long as ctx allows. In a room with history the message is stored when it returns.
//
// The error matches ErrData, ErrText, ErrRaw, ErrOption, broker.ErrRoomName, broker.ErrUnavailable or ErrClosed, or is that of
// ctx.
func (h *Hub) Publish(ctx context.Context, room string, data []byte, opts ...PublishOption) (Result, error) {
	if len(opts) == 0 {
		return h.publish(ctx, room, data, publishOptions{})
	}
	o, err := apply[publishOptions](opts)
	if err != nil {
		return Result{}, err
	}
	return h.publish(ctx, room, data, o)
}

// PublishJSON is Publish of what json.Marshal makes of v.
func (h *Hub) PublishJSON(ctx context.Context, room string, v any, opts ...PublishOption) (Result, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Result{}, fmt.Errorf("hub: publish: %w", err)
	}
	return h.Publish(ctx, room, data, opts...)
}

func (h *Hub) publish(ctx context.Context, name string, data []byte, o publishOptions) (Result, error) {
	switch {
	case h.life.Closed():
		return Result{}, ErrClosed
	case !h.conf.raw && o.binary:
		return Result{}, ErrRaw
	case !h.conf.raw && !protocol.Valid(data):
		return Result{}, ErrData
	case h.conf.raw && !o.binary && !utf8.Valid(data):
		return Result{}, ErrText
	}
	rule, err := h.ready(ctx, name)
	if err != nil {
		return Result{}, err
	}
	res, err := h.broker.Publish(ctx, name, broker.Publication{
		Data:           data,
		Binary:         o.binary,
		JSON:           !h.conf.raw,
		ConflationKey:  o.conflationKey,
		IdempotencyKey: o.idempotencyKey,
		IdempotencyTTL: o.idempotencyTTL,
		Publisher:      o.publisher,
		Retention:      rule.retention,
	})
	switch {
	case err == nil && res.Duplicate:
		h.stats.duplicates.Add(1)
	case err == nil:
		h.stats.published.Add(1)
	case h.conf.outage == OutageDegrade && !rule.retention.Enabled() && errors.Is(err, broker.ErrUnavailable):
		receiver{h}.Deliver(name, []broker.Message{{Data: data, Binary: o.binary, JSON: !h.conf.raw, ConflationKey: o.conflationKey}})
		h.stats.published.Add(1)
		h.stats.degraded.Add(1)
		err = nil
	case errors.Is(err, broker.ErrClosed):
		err = ErrClosed
	}
	return res, err
}

// ready waits for a place in the queue that a room has on this node, if it has one, and returns the room's
// rule.
func (h *Hub) ready(ctx context.Context, name string) (*rule, error) {
	if r := h.rooms.find(name); r != nil {
		return r.rule, r.Ready(ctx)
	}
	return h.rule(name), nil
}

// receiver is the hub as the broker sees it.
type receiver struct{ h *Hub }

// Deliver implements broker.Receiver.
func (x receiver) Deliver(name string, ms []broker.Message) {
	if r := x.h.rooms.find(name); r != nil {
		x.deliver(r, ms, (*room).Add)
	}
}

// DeliverSoon implements broker.BatchReceiver.
func (x receiver) DeliverSoon(name string, ms []broker.Message) {
	if r := x.h.rooms.find(name); r != nil {
		x.deliver(r, ms, (*room).AddSoon)
	}
}

// Flush implements broker.BatchReceiver.
func (x receiver) Flush() { x.h.sched.Flush() }

func (x receiver) deliver(r *room, ms []broker.Message, add func(*room, byte, uint64, string, func([]byte) []byte)) {
	e := encoders.Get().(*encoder) //nolint:forcetypeassert // the pool's only type
	e.room, e.raw = r, x.h.conf.raw
	for i := range ms {
		if e.message = &ms[i]; !e.raw && !sound(e.message) {
			x.corrupt(r, e.message.Position)
			continue
		}
		opcode := byte(frame.Text)
		if e.message.Binary {
			opcode = frame.Binary
		}
		offset := uint64(0)
		if r.rule.retention.Enabled() { // else other nodes have another rule for the room
			offset = e.message.Position.Offset
			r.noteEpoch(e.message.Position.Epoch, 0)
		}
		add(r, opcode, offset, e.message.ConflationKey, e.encode)
	}
	e.room, e.message = nil, nil
	encoders.Put(e)
}

// sound reports whether a message of the broker is one that clients of protocol v1 can be sent. What a hub published was
// checked there; other programs may publish anything.
func sound(m *broker.Message) bool { return !m.Binary && (m.JSON || protocol.Valid(m.Data)) }

// corrupt drops a message that is not sound. In a room with history its place in the order is a gap.
func (x receiver) corrupt(r *room, pos broker.Position) {
	x.h.stats.corrupt.Add(1)
	if !pos.IsZero() {
		x.Gap(r.name, pos)
	}
}

// encoder writes a message of the broker as its room's members get it. It is used again and again: a function
// literal in its place would be an allocation for each message.
type encoder struct {
	room    *room
	raw     bool
	message *broker.Message
	encode  func(dst []byte) []byte
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.encode = e.append
	return e
}}

func (e *encoder) append(dst []byte) []byte {
	m := e.message
	if e.raw {
		return append(dst, m.Data...)
	}
	return protocol.AppendMessage(dst, e.room.name, m.Data, m.Position.Epoch, m.Position.Offset)
}

// Gap implements broker.Receiver.
func (x receiver) Gap(name string, pos broker.Position) {
	r := x.h.rooms.find(name)
	if r == nil || !r.rule.retention.Enabled() {
		return
	}
	x.h.stats.gaps.Add(1)
	r.noteEpoch(pos.Epoch, 1)
	r.RestartWith(pos.Offset, frame.Text, func(dst []byte) []byte {
		return protocol.AppendGap(dst, name, pos.Epoch, pos.Offset)
	})
}

// PresenceChanged implements broker.Receiver.
func (x receiver) PresenceChanged(name string, m broker.Member, joined bool) {
	if r := x.h.rooms.find(name); r != nil && r.attendance != nil {
		r.attendance.Note(m, joined)
	}
}

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
			h.settle()
			h.missed()
		}
		for _, c := range h.conns.All() {
			c.tellState()
		}
	})
}

// missed has the members of rooms with presence ask who is there: what others told meanwhile did not come.
func (h *Hub) missed() {
	for _, r := range h.rooms.all() {
		if r.attendance != nil {
			r.attendance.Missed()
		}
	}
}

// settle returns when what has been delivered so far is on its way: that all is well again is told after what was missed.
func (h *Hub) settle() {
	h.sched.Flush()
	for _, r := range h.rooms.all() {
		if r.Sent(h.ctx) != nil {
			return
		}
	}
}
