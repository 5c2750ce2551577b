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
	// Data is one JSON value, or on a raw hub the frame's payload. The handler may keep it.
	Data []byte
	// Binary is set if Data is bytes of any kind. On a raw hub it tells binary frames from text frames.
	Binary bool
}

// Publication is what a client wants to publish. OnPublish may inspect and change it.
type Publication struct {
	Room string
	// Data is one JSON value, or bytes of any kind if Binary is set.
	Data   []byte
	Binary bool
	// IdempotencyKey is the client's, or empty. The hub keeps keys apart by user, and for anonymous clients by session.
	// A client's key never matches another's or the service's.
	IdempotencyKey string
	// ConflationKey is for OnPublish to set; see the option ConflationKey. Clients cannot send one.
	ConflationKey string
	// Tags are the message's tags; nil for none. OnPublish may set others, within the bounds of the option Tags, but
	// must not change the map after it has returned. If they exceed the bounds, the client is told "internal".
	Tags map[string]string
	// Trace is the W3C trace context of the client's publication; zero for none. OnPublish may set another, such as
	// that of its own span.
	Trace broker.Trace
	// NoEcho is set if the client asks that its own session does not get the message: see ExceptSession.
	NoEcho bool
}

// HandlerFunc answers a call. data is the client's JSON value, or nil if it sent none; the handler may keep it. A nil
// result or a json.RawMessage is sent as it is, and any other result as json.Marshal writes it. The client is told an
// *Error as it is. Any other error is logged, and the client is told "internal". A panic of the handler, or of the
// result's MarshalJSON, is treated alike.
//
// Calls of one connection come one at a time. They come in the goroutine that reads it, or on the worker pool if the
// handler is Heavy. ctx is the connection's context.
type HandlerFunc func(ctx context.Context, c *Conn, data []byte) (any, error)

// Typed makes a HandlerFunc of a function on Go types. If data does not fit In, the client is told bad_request with the
// field in JSON's terms: field "size": want a number, got a string. WriteTypeScript knows the types.
//
//go:noinline
func Typed[In, Out any](f func(ctx context.Context, c *Conn, in In) (Out, error)) HandlerFunc {
	return func(ctx context.Context, c *Conn, data []byte) (any, error) {
		if c == typesAsked {
			return typesOf[In, Out](), nil
		}
		var in In
		if data != nil {
			if err := json.Unmarshal(data, &in); err != nil {
				return nil, &Error{Code: protocol.CodeBadRequest, Message: misfit(err)}
			}
		}
		return f(ctx, c, in)
	}
}

// HandleOption says how a handler runs. Handle reports the faults of all its options together.
type HandleOption func(*method) error

// Heavy runs the handler on the worker pool. By default a handler runs in the goroutine that reads the connection. Use
// Heavy for work that takes more than a moment of CPU. Calls of one connection still run one after another, and later
// frames of the connection wait for them. Other connections are not delayed. If the pool is full, the client receives
// "busy" with a time to retry after.
func Heavy() HandleOption {
	return func(m *method) error {
		m.heavy = true
		return nil
	}
}

type method struct {
	fn    HandlerFunc
	heavy bool
	types callTypes
}

// Handle sets the handler of a method. A second Handle of the same name replaces the first, and a nil fn removes it. An
// empty name or a nil option is an error, as is a worker pool for a heavy handler that cannot be made. The methods then
// stay as they were.
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
	if m.types == (callTypes{}) {
		m.types = fn.types()
	}
	h.handlers.change(func(s *callbacks) { s.methods = with(s.methods, name, m, fn == nil) })
	return nil
}

// with returns a copy of m that has v under name, or no entry there if remove is set.
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

// poolPanicked is called for a panic on the hub's own pool. guard has logged the panics of the application's code.
func (h *Hub) poolPanicked(e *workerpool.PanicError) {
	if e.Value != workerpool.ErrGoexit { //nolint:errorlint // errors.Is would call the panic's own methods
		h.panicked("worker pool", nil, e.Value)
	}
}
