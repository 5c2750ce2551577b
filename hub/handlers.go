package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// Message is what a client sent to the application itself.
type Message struct {
	// Data is one JSON value, or on a raw hub the frame's payload. It is the handler's to keep.
	Data []byte
	// Binary tells a raw hub's binary frames from its text frames.
	Binary bool
}

// Publication is what a client wants to publish, for OnPublish to look at and, if need be, to change.
type Publication struct {
	Room string
	// Data is one JSON value.
	Data []byte
	// IdempotencyKey is the client's, or empty. It is one of the user's own, or if the client is anonymous of its
	// session's, and never meets a key of others or of the service.
	IdempotencyKey string
	// ConflationKey is for OnPublish to set; see the option ConflationKey. Clients have none.
	ConflationKey string
	// Tags are carried by the message; nil for none. OnPublish may set others, within the bounds of the option Tags, but must
	// not change the map after it has returned. If they are beyond the bounds, the client hears "internal".
	Tags map[string]string
	// Trace is the W3C trace context that the client's publication is part of; zero for none. OnPublish may set another, such as
	// that of a span of its own.
	Trace broker.Trace
	// NoEcho is set if the client's session is not to be sent its own message: see ExceptSession.
	NoEcho bool
}

// HandlerFunc answers a call. data is the client's JSON value, or nil if it sent none, and the handler's to keep. A result
// that is nil or a json.RawMessage is sent as it is, any other as json.Marshal writes it. An *Error is told to the client.
// Any other error is logged, and the client hears "internal", as it does if the handler or the result's MarshalJSON panics.
//
// Calls of one connection come one at a time, in the goroutine that reads it or, if the handler is Heavy, on the worker
// pool. ctx is the connection's context.
type HandlerFunc func(ctx context.Context, c *Conn, data []byte) (any, error)

// Typed makes a HandlerFunc of a function on Go types. Data that does not fit In is answered with
// bad_request, which names the field in JSON's terms: field "size": want a number, got a string.
func Typed[In, Out any](f func(ctx context.Context, c *Conn, in In) (Out, error)) HandlerFunc {
	return func(ctx context.Context, c *Conn, data []byte) (any, error) {
		var in In
		if data != nil {
			if err := json.Unmarshal(data, &in); err != nil {
				return nil, &Error{Code: protocol.CodeBadRequest, Message: misfit(err)}
			}
		}
		return f(ctx, c, in)
	}
}

// HandleOption says how a handler is run. Handle reports every fault of every option together.
type HandleOption func(*method) error

// Heavy runs the handler on the worker pool, for work that takes more than a moment of CPU. Calls of one connection still
// run one after another, and what the same connection sends meanwhile waits its turn behind them; other connections are not
// held up. If the pool is full, the client hears "busy" and when to try again.
func Heavy() HandleOption {
	return func(m *method) error {
		m.heavy = true
		return nil
	}
}

type method struct {
	fn    HandlerFunc
	heavy bool
}

// Handle sets what answers calls of a method; a second Handle of the name replaces the first, and a nil fn removes it. It
// returns an error for an empty name, a nil option, and if the pool for a heavy handler cannot be made: the methods then stay
// as they were.
func (h *Hub) Handle(name string, fn HandlerFunc, opts ...HandleOption) error {
	m, err := apply[method](opts)
	if name == "" {
		err = errors.Join(errors.New("the name is empty"), err)
	}
	if err == nil && m.heavy && fn != nil {
		err = h.needPool()
	}
	if err != nil {
		return fmt.Errorf("hub: Handle %q: %w", name, err)
	}
	m.fn = fn
	h.handlers.change(func(s *callbacks) { s.methods = with(s.methods, name, m, fn == nil) })
	return nil
}

// with returns a copy of m that has v under name, or nothing there.
func with[V any](m map[string]V, name string, v V, remove bool) map[string]V {
	next := maps.Clone(m)
	if next == nil {
		next = make(map[string]V)
	}
	if remove {
		delete(next, name)
	} else {
		next[name] = v
	}
	return next
}

func (h *Hub) needPool() error {
	h.poolMu.Lock()
	defer h.poolMu.Unlock()
	if h.pool != nil {
		return nil
	}
	p, err := workerpool.New(workerpool.WithPanicHandler(h.poolPanicked))
	if err != nil {
		return fmt.Errorf("worker pool: %w", err)
	}
	h.pool, h.ownPool = p, true
	return nil
}

// poolPanicked is told of what has gone wrong on the hub's own pool. The guard has logged what the application's code did.
func (h *Hub) poolPanicked(e *workerpool.PanicError) {
	if e.Value != workerpool.ErrGoexit { //nolint:errorlint // errors.Is would call the panic's own methods
		h.panicked("worker pool", nil, e.Value)
	}
}
