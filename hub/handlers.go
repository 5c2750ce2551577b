package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

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
}

// HandlerFunc answers a call. data is the client's JSON value, nil where it sent none, and the handler's to
// keep. The result is sent as it is where it is a json.RawMessage or nil, and else as json.Marshal writes
// it. An *Error is told to the client; any other error is logged, and the client hears "internal". The client hears that too
// if the handler or the result's MarshalJSON panics.
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

// HandleOption says how a handler is run.
type HandleOption func(*method)

// Heavy runs the handler on the worker pool, for work that takes more than a moment of CPU. Calls of one
// connection still run one after another, and what the same connection sends meanwhile waits its turn
// behind them; other connections are not held up. Where the pool is full the client hears "busy", and when to
// try again.
func Heavy() HandleOption { return func(m *method) { m.heavy = true } }

type method struct {
	fn    HandlerFunc
	heavy bool
}

// callbacks are the application's functions. A set is never changed once it is in use.
type callbacks struct {
	handshake  func(*http.Request, *Conn) error
	connect    func(context.Context, *Conn) error
	message    func(context.Context, *Conn, Message)
	disconnect func(context.Context, *Conn, error)
	join       func(ctx context.Context, c *Conn, room string) error
	publish    func(ctx context.Context, c *Conn, p *Publication) error
	methods    map[string]method
	surveys    map[string]SurveyFunc
}

type handlers struct {
	mu  sync.Mutex
	set atomic.Pointer[callbacks]
}

func (h *handlers) init() { h.set.Store(&callbacks{}) }

func (h *handlers) change(f func(*callbacks)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := *h.set.Load()
	f(&next)
	h.set.Store(&next)
}

// OnHandshake sets what sees every handshake that the authenticator has let through, before it is answered:
// the place to take from the request what is needed later, with Conn.Set. ErrForbidden refuses the handshake with 403; other
// errors refuse it as WithAuthenticator says. It is called in the goroutine of the request, and must not use the Conn
// otherwise.
func (h *Hub) OnHandshake(f func(r *http.Request, c *Conn) error) {
	h.handlers.change(func(s *callbacks) { s.handshake = f })
}

// OnConnect sets what is called for every new connection, after it is known who it is and before anything it
// sends is looked at. An error closes the connection. A *CloseError says how. ErrForbidden and any other *Error close it
// with 4101, and ErrUnauthorized closes it with 4100: the client does not come back. Any other error is no verdict on the
// client: it is logged and counted in Stats.Failures, and the connection is closed with 1013 and a hint when to come back.
// After a panic, or a nil pointer returned as the error, it is closed with 4004. OnConnect is called in a goroutine of the
// connection's own.
func (h *Hub) OnConnect(f func(ctx context.Context, c *Conn) error) {
	h.handlers.change(func(s *callbacks) { s.connect = f })
}

// OnMessage sets what is called for what clients send to the application: the send op, or on a raw hub
// every frame. Messages of one connection come one at a time, in order. A handler that blocks holds up
// its own connection only, pongs included: see Heavy.
func (h *Hub) OnMessage(f func(ctx context.Context, c *Conn, m Message)) {
	h.handlers.change(func(s *callbacks) { s.message = f })
}

// OnDisconnect sets what is called once for every connection for which OnConnect was called and returned no
// error, after its last room is left. err is a *CloseError where one side closed the connection in
// order, and else why it was lost. A handler of the connection may still be running; its context is
// over.
func (h *Hub) OnDisconnect(f func(ctx context.Context, c *Conn, err error)) {
	h.handlers.change(func(s *callbacks) { s.disconnect = f })
}

// OnJoin sets who may join which room, when a client asks; what the server joins with Conn.Join is not asked
// about. Rooms of WithOpenRooms are not asked about either. Without OnJoin nothing else may be joined.
//
// Any error refuses the join. An *Error, such as ErrForbidden, is told to the client as it is. Any other error is no verdict
// on the client: a context that ended, or a database that cannot be reached. It is logged and counted in Stats.Failures, and
// the client hears "unavailable" and when to try again. After a panic, or a nil pointer returned as the error, the client
// hears "internal".
func (h *Hub) OnJoin(f func(ctx context.Context, c *Conn, room string) error) {
	h.handlers.change(func(s *callbacks) { s.join = f })
}

// OnPublish sets who may publish where, and may change what is published. It is otherwise like OnJoin. A client
// need not have joined a room to publish in it.
func (h *Hub) OnPublish(f func(ctx context.Context, c *Conn, p *Publication) error) {
	h.handlers.change(func(s *callbacks) { s.publish = f })
}

// Handle sets what answers calls of a method; a second Handle of the name replaces the first, and a nil fn removes it. It
// returns an error for an empty name, a nil option, and if the pool for a heavy handler cannot be made: the methods then stay
// as they were.
func (h *Hub) Handle(name string, fn HandlerFunc, opts ...HandleOption) error {
	m := method{fn: fn}
	var errs []error
	if name == "" {
		errs = append(errs, errors.New("empty name"))
	}
	for i, o := range opts {
		if o == nil {
			errs = append(errs, fmt.Errorf("option %d is nil", i))
			continue
		}
		o(&m)
	}
	if m.heavy && fn != nil && errs == nil {
		errs = append(errs, h.needPool())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("hub: Handle %q: %w", name, err)
	}
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
