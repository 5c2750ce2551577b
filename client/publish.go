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

// Publication is a message that PublishAsync has queued.
type Publication struct {
	c *Client
	r *request
}

// PublishOption configures a publication. Publish reports every fault of every option together.
type PublishOption func(*request) error

// IdempotencyKey sets the idempotency key, 1 to 128 bytes. The server accepts only one of several publications to a
// room with the same key. The default is a random key for each publication, which the client reuses when it resends.
// Set one if a restarted process, or a caller that got an error, may publish the same message again.
func IdempotencyKey(key string) PublishOption {
	return func(r *request) error {
		if key == "" || len(key) > protocol.MaxIdempotencyKey {
			return invalid("IdempotencyKey: %d bytes, must be 1 to %d", len(key), protocol.MaxIdempotencyKey)
		}
		r.key = key
		return nil
	}
}

// Tags attaches tags to the message, at most 16. By default there are none. Keys have 1 to 64 bytes without control
// characters, values at most 256 bytes. Both are UTF-8.
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

// Trace sets the W3C trace context of the publication: the values of the headers traceparent and tracestate. By default
// there is none. state may be empty. The message carries both.
func Trace(parent, state string) PublishOption {
	return func(r *request) error {
		r.traceParent, r.traceState = parent, state
		return errors.Join(
			require(protocol.ValidTraceParent(parent), "Trace: traceparent %.140q is not one of W3C Trace Context", parent),
			require(protocol.ValidTraceState(state), "Trace: tracestate of %d bytes is not one of W3C Trace Context", len(state)))
	}
}

// NoEcho excludes the client from the recipients of its own message, also if it reconnects before the message has
// reached it. By default a client that is in the room receives it. The position of its subscription advances past the
// message.
func NoEcho() PublishOption {
	return func(r *request) error {
		r.noEcho = true
		return nil
	}
}

// Publish publishes data, one JSON value, to a room. It blocks until the server has answered. It returns the position in a
// room with history, and zero in any other room. While there is no connection, the publication waits in the queue. If the
// answer is lost with a connection, the client sends the publication again with the same idempotency key. The server then
// stores it once. You must not change data until Publish has returned.
//
// The error is a *protocol.Error if the server refuses. If the client may only read the room, the client itself returns that
// error. The error matches ErrDisconnected if the answer was lost and the retry window has passed. Otherwise it matches
// ErrQueueFull, ErrClosed or ErrInvalid. If ctx is done first, it is the cause of ctx. The client then withdraws the
// publication, unless it was sent.
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

// PublishJSON encodes v with json.Marshal, and publishes it like Publish. The error may also be that of json.Marshal.
func (c *Client) PublishJSON(ctx context.Context, room string, v any, opts ...PublishOption) (Position, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Position{}, fmt.Errorf("client: publish: %w", err)
	}
	return c.Publish(ctx, room, data, opts...)
}

// PublishAsync queues a publication and does not block. Publications are first sent in the order of the calls. Do not
// change data until the publication is done. The error matches ErrInvalid, ErrQueueFull or ErrClosed. The Publication
// returns all other errors.
func (c *Client) PublishAsync(room string, data []byte, opts ...PublishOption) (*Publication, error) {
	r := &request{op: protocol.OpPublish, room: room, data: data, done: make(chan struct{})}
	if err := checkRoom(room); err != nil {
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
	if err := checkData(data); err != nil && !r.binary {
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

// Done returns a channel that is closed when the outcome is known.
func (p *Publication) Done() <-chan struct{} { return p.r.done }

// Wait blocks until the outcome is known, and returns the results of Publish. If ctx is done first, Wait returns the cause
// of ctx, and the publication is still sent.
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

// Flush blocks until the outcome of every earlier publication is known. If ctx is done first, it returns the cause of
// ctx. It does not return the outcomes.
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
