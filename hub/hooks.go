package hub

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// Hooks add up. What decides is chained when it is set, so that a message or a join costs what one call costs.

// callbacks are the application's functions. A set is never changed once it is in use.
type callbacks struct {
	handshake  func(*http.Request, *Conn) error
	connect    func(context.Context, *Conn) error
	message    func(context.Context, *Conn, Message)
	disconnect []func(context.Context, *Conn, error)
	join       func(ctx context.Context, c *Conn, room string) (Grant, error)
	grants     bool // join may bound what it grants
	publish    func(ctx context.Context, c *Conn, p *Publication) error
	history    func(ctx context.Context, c *Conn, room string) error
	refresh    func(ctx context.Context, c *Conn, room string)
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

// OnHandshake adds a function that sees every handshake which the authenticator has let through, before it is answered. It
// is the place to take from the request what is needed later, with Conn.Set. Several are called in the order in which they
// were added, and all must return nil: the first error refuses the handshake, and the others are not called.
//
// ErrForbidden refuses the handshake with 403; other errors refuse it as WithAuthenticator says. f is called in the
// goroutine of the request, and must not use the Conn otherwise.
func (h *Hub) OnHandshake(f func(r *http.Request, c *Conn) error) {
	if f == nil {
		f = func(*http.Request, *Conn) error { return errNilHook }
		h.nilHook("OnHandshake")
	}
	h.handlers.change(func(s *callbacks) { s.handshake = inTurn(s.handshake, f) })
}

// OnConnect adds a function that is called for every new connection, after it is known who it is and before anything it
// sends is looked at. Several are called in the order in which they were added, and all must return nil: the first error
// closes the connection, and the others are not called.
//
// A *CloseError says how the connection is closed. ErrForbidden and any other *Error close it with 4101, and ErrUnauthorized
// closes it with 4100: the client does not come back. Any other error is no verdict on the client: it is logged and counted
// in Stats.Failures, and the connection is closed with 1013 and a hint when to come back. After a panic, or a nil pointer
// returned as the error, it is closed with 4004. OnConnect is called in a goroutine of the connection's own.
func (h *Hub) OnConnect(f func(ctx context.Context, c *Conn) error) {
	if f == nil {
		f = func(context.Context, *Conn) error { return errNilHook }
		h.nilHook("OnConnect")
	}
	h.handlers.change(func(s *callbacks) { s.connect = inTurn(s.connect, f) })
}

// OnMessage adds a function that is called for what clients send to the application: the send op, or on a raw hub every
// frame. Several are called in the order in which they were added; all get the same Data. Messages of one connection come
// one at a time, in order. A handler that blocks holds up its own connection only, pongs included: see Heavy. A panic closes
// the connection with 4004, and the functions after it are not called.
func (h *Hub) OnMessage(f func(ctx context.Context, c *Conn, m Message)) {
	if f == nil {
		h.nilHook("OnMessage")
		return
	}
	h.handlers.change(func(s *callbacks) {
		before := s.message
		if before == nil {
			s.message = f
			return
		}
		s.message = func(ctx context.Context, c *Conn, m Message) {
			before(ctx, c, m)
			f(ctx, c, m)
		}
	})
}

// OnDisconnect adds a function that is called once for every connection which every OnConnect has taken, after its last room
// is left. Several are called in the order in which they were added, also if one of them panics. err is a *CloseError if one
// side closed the connection in order, and else why it was lost. A handler of the connection may still be running; its
// context is over.
func (h *Hub) OnDisconnect(f func(ctx context.Context, c *Conn, err error)) {
	if f == nil {
		h.nilHook("OnDisconnect")
		return
	}
	h.handlers.change(func(s *callbacks) {
		s.disconnect = append(slices.Clip(s.disconnect), f)
	})
}

// OnJoin adds a function that says who may join which room, when a client asks. Several are asked in the order in which they
// were added, and all must agree: the first error refuses the join, and the others are not asked. Without OnJoin clients may
// join no room, except those of WithOpenRooms, about which nobody is asked. Nor is anybody about what the server joins with
// Conn.Join.
//
// An *Error, such as ErrForbidden, is told to the client as it is. Any other error is no verdict on the client: a context
// that ended, or a database that cannot be reached. It is logged and counted in Stats.Failures, and the client hears
// "unavailable" and when to try again. After a panic, or a nil pointer returned as the error, the client hears "internal".
// OnJoin is called in the goroutine that reads the connection, or on the worker pool if the client has heavy calls under way.
func (h *Hub) OnJoin(f func(ctx context.Context, c *Conn, room string) error) {
	if f == nil {
		f = func(context.Context, *Conn, string) error { return errNilHook }
		h.nilHook("OnJoin")
	}
	h.onJoin(func(ctx context.Context, c *Conn, room string) (Grant, error) { return Grant{}, f(ctx, c, room) })
}

// OnJoinGrant is OnJoin for a function that also says until when the client may be in the room, and whether it may publish
// there. Both kinds are asked in the order in which they were added. If several functions agree, the earliest end holds, and
// one that says read-only makes it so. A Grant whose end has come refuses the join with "expired".
//
// The functions are asked again when the client renews its right with a new token. The token must be the same user's, and its
// Identity.ExpiresAt bounds the new Grant as if a function had said so. If they do not agree, the client stays until the end
// of the Grant it has. If the broker does not answer, the client gets no message after that end, and hears that it
// has left up to 10 s later.
func (h *Hub) OnJoinGrant(f func(ctx context.Context, c *Conn, room string) (Grant, error)) {
	if f == nil {
		f = func(context.Context, *Conn, string) (Grant, error) { return Grant{}, errNilHook }
		h.nilHook("OnJoinGrant")
	}
	h.onJoin(f)
	h.handlers.change(func(s *callbacks) { s.grants = true })
}

func (h *Hub) onJoin(f func(context.Context, *Conn, string) (Grant, error)) {
	h.handlers.change(func(s *callbacks) {
		before := s.join
		if before == nil {
			s.join = f
			return
		}
		s.join = func(ctx context.Context, c *Conn, room string) (Grant, error) {
			given, err := before(ctx, c, room)
			if err != nil {
				return Grant{}, err
			}
			more, err := f(ctx, c, room)
			return narrowest(given, &more), err
		}
	})
}

// OnPublish adds a function that says who may publish where, and may change what is published: the next one sees the
// change. It is otherwise like OnJoin. A client need not have joined a room to publish in it.
func (h *Hub) OnPublish(f func(ctx context.Context, c *Conn, p *Publication) error) {
	if f == nil {
		f = func(context.Context, *Conn, *Publication) error { return errNilHook }
		h.nilHook("OnPublish")
	}
	h.handlers.change(func(s *callbacks) { s.publish = inTurnAbout(s.publish, f) })
}

// OnHistory adds a function that says who may read the history of which room without being in it. Clients read that of rooms
// that they are in without anybody being asked, and without OnHistory no other, also among those of WithOpenRooms. It is
// otherwise like OnJoin.
func (h *Hub) OnHistory(f func(ctx context.Context, c *Conn, room string) error) {
	if f == nil {
		f = func(context.Context, *Conn, string) error { return errNilHook }
		h.nilHook("OnHistory")
	}
	h.handlers.change(func(s *callbacks) { s.history = inTurnAbout(s.history, f) })
}

// OnRefresh adds a function that is called when a client has renewed its identity, or with a room's name its right to be in
// that room, by a new token in place. Conn.Identity is the new one then, and the client is answered afterwards. The token
// verifier decides about the token; f is for what follows from it, such as another Info or a session store to be told. It is
// not called for the token of a hello: see OnConnect. Several are called in the order in which they were added.
//
// f is called in the goroutine that reads the connection, or on the worker pool if the client has heavy calls under way. A
// panic closes the connection with 4004, and the functions after it are not called.
func (h *Hub) OnRefresh(f func(ctx context.Context, c *Conn, room string)) {
	if f == nil {
		h.nilHook("OnRefresh")
		return
	}
	h.handlers.change(func(s *callbacks) {
		before := s.refresh
		if before == nil {
			s.refresh = f
			return
		}
		s.refresh = func(ctx context.Context, c *Conn, room string) {
			before(ctx, c, room)
			f(ctx, c, room)
		}
	})
}

// inTurn chains two functions that decide: f is asked if before, which may be nil, has agreed.
func inTurn[A, B any](before, f func(A, B) error) func(A, B) error {
	if before == nil {
		return f
	}
	return func(a A, b B) error {
		if err := before(a, b); err != nil {
			return err
		}
		return f(a, b)
	}
}

// inTurnAbout is inTurn for functions that are also told what it is about.
func inTurnAbout[A, B, C any](before, f func(A, B, C) error) func(A, B, C) error {
	if before == nil {
		return f
	}
	return func(a A, b B, about C) error {
		if err := before(a, b, about); err != nil {
			return err
		}
		return f(a, b, about)
	}
}

// errNilHook refuses what a nil function was to decide: whoever added it meant to restrict.
var errNilHook = errors.New("hub: the function that decides is nil")

// nilHook reports a nil function when it is added.
func (h *Hub) nilHook(name string) { h.log.Error("a nil function was added", "hook", name) }
