package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/gohubkit/hubkit/protocol"
)

// Publication is a message on its way to a room; see PublishAsync.
type Publication struct {
	c *Client
	r *request
}

// PublishOption configures a publication. Publish reports every fault of every option together.
type PublishOption func(*request) error

// IdempotencyKey sets the idempotency key, 1 to 128 bytes. Of several publications to a room with the same key the server
// takes one. The default is a random key for each publication, under which the client itself tries again. Set one if a
// process that was restarted, or a caller that got an error, publishes the same thing again.
func IdempotencyKey(key string) PublishOption {
	return func(r *request) error {
		if key == "" || len(key) > protocol.MaxIdempotencyKey {
			return invalid("IdempotencyKey: %d bytes, must be 1 to %d", len(key), protocol.MaxIdempotencyKey)
		}
		r.key = key
		return nil
	}
}

// Tags has the message carry tags: at most 16, with keys of 1 to 64 bytes without control characters and values of at most 256
// bytes, in UTF-8.
func Tags(tags map[string]string) PublishOption {
	return func(r *request) error {
		if err := protocol.CheckTags(tags); err != nil {
			return invalid("Tags: %v", err)
		}
		r.tags = nil
		if len(tags) > 0 {
			r.tags = protocol.AppendTags(nil, tags)
		}
		return nil
	}
}

// Trace says which W3C trace the publication is part of, with the values of the headers traceparent and tracestate. state may
// be empty. The message carries both.
func Trace(parent, state string) PublishOption {
	return func(r *request) error {
		r.traceParent, r.traceState = parent, state
		return errors.Join(
			require(protocol.ValidTraceParent(parent), "Trace: traceparent %.140q is not one of W3C Trace Context", parent),
			require(protocol.ValidTraceState(state), "Trace: tracestate of %d bytes is not one of W3C Trace Context", len(state)))
	}
}

// NoEcho has the client not be sent the message itself, also if it comes back before the message has reached it. Its
// subscription's position goes on behind it.
func NoEcho() PublishOption {
	return func(r *request) error {
		r.noEcho = true
		return nil
	}
}

// Publish publishes data, one JSON value, to a room. It blocks until the server has answered, and returns the position in a
// room with history, or zero in another room. While there is no connection the publication waits in the queue. If its answer
// is lost with a connection, it is sent again with the same idempotency key, so that it is stored once. data must not be
// changed until Publish has returned.
//
// The error is a *protocol.Error if the server refuses. For a room that the client may only read, the server is not asked. The
// error matches ErrDisconnected if the answer was lost and the retry window has passed, ErrQueueFull, ErrClosed or
// ErrInvalid. If ctx is done first, it is the cause of ctx, and the publication is withdrawn unless it was sent.
func (c *Client) Publish(ctx context.Context, room string, data []byte, opts ...PublishOption) (Position, error) {
	p, err := c.PublishAsync(room, data, opts...)
	if err != nil {
		return Position{}, err
	}
	if err := c.queue.await(ctx, p.r); err != nil {
		return Position{}, err
	}
	return p.r.pos, nil
}

// PublishJSON is Publish of what json.Marshal makes of v.
func (c *Client) PublishJSON(ctx context.Context, room string, v any, opts ...PublishOption) (Position, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Position{}, fmt.Errorf("client: publish: %w", err)
	}
	return c.Publish(ctx, room, data, opts...)
}

// PublishAsync is Publish without the wait: it queues the publication and does not block. Publications are first sent in the
// order of the calls. data must not be changed until the publication is done. The error matches ErrInvalid, ErrQueueFull or
// ErrClosed; all others come from the Publication.
func (c *Client) PublishAsync(room string, data []byte, opts ...PublishOption) (*Publication, error) {
	r := &request{op: protocol.OpPublish, room: room, data: data, done: make(chan struct{})}
	if err := checkRoom(room); err != nil {
		return nil, err
	}
	if err := checkData(data); err != nil {
		return nil, err
	}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, invalid("option %d is nil", i))
			continue
		}
		faults = append(faults, o(r))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.grants.readOnly(room) {
		return nil, &protocol.Error{Code: protocol.CodeForbidden, Message: "the client may only read in room " + strconv.Quote(room)}
	}
	if r.key == "" {
		r.key = rand.Text()
	}
	if err := c.queue.add(r); err != nil {
		return nil, err
	}
	return &Publication{c: c, r: r}, nil
}

// Done is closed when the outcome is known.
func (p *Publication) Done() <-chan struct{} { return p.r.done }

// Wait blocks until the outcome is known, and returns what Publish would. If ctx is done first, it returns the cause of ctx,
// and the publication stays on its way.
func (p *Publication) Wait(ctx context.Context) (Position, error) {
	select {
	case <-p.r.done:
		if p.r.err != nil {
			return Position{}, p.r.err
		}
		return p.r.pos, nil
	case <-ctx.Done():
		return Position{}, context.Cause(ctx)
	}
}

// Flush blocks until the outcome of every publication made before it is known. It returns the cause of ctx if that is done
// first. It does not return what became of the publications.
func (c *Client) Flush(ctx context.Context) error {
	for _, r := range c.queue.publications() {
		select {
		case <-r.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func checkData(data []byte) error {
	if !protocol.Valid(data) {
		return invalid("data is not a JSON value")
	}
	return nil
}
