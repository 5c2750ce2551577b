package hub

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// Hooks add up. Hooks that decide are chained when they are set, so that a message or a join costs no more than one call.

// callbacks are the application's functions. A set is never changed once it is in use.
type callbacks struct {
	handshake  func(*http.Request, *Conn) error
	connect    func(context.Context, *Conn) error
	message    func(context.Context, *Conn, Message)
	disconnect []func(context.Context, *Conn, error)
	leave      []func(ctx context.Context, c *Conn, room string)
	roomUsed   []func(ctx context.Context, room string)
	roomEmpty  []func(ctx context.Context, room string)
	// Over all nodes.
	clusterUsed, clusterEmpty []func(ctx context.Context, room string)

	join    func(ctx context.Context, c *Conn, room string) (Grant, error)
	grants  bool // join may bound what it grants
	publish func(ctx context.Context, c *Conn, p *Publication) error
	history func(ctx context.Context, c *Conn, room string) error
	refresh func(ctx context.Context, c *Conn, room string)
	methods map[string]method
	surveys map[string]SurveyFunc
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

// OnHandshake adds a function that is called for every handshake that the authenticator has accepted, before the
// handshake is answered. Use Conn.Set in it to keep what later callbacks need of the request. Functions are called in
// the order in which they were added, and all must return nil. The first error refuses the handshake, and the others
// are not called.
//
// ErrForbidden refuses the handshake with 403. Other errors refuse it as WithAuthenticator says. f is called in the
// goroutine of the request, and must not use the Conn otherwise. It is also called for each request of Post.
func (h *Hub) OnHandshake(f func(r *http.Request, c *Conn) error) {
	if f == nil {
		f = func(*http.Request, *Conn) error { return errNilHook }
		h.nilHook("OnHandshake")
	}
	h.handlers.change(func(s *callbacks) { s.handshake = inTurn(s.handshake, f) })
}

// OnConnect adds a function that is called for every new connection. At that time its identity is known, and none of
// its requests has been handled. Functions are called in the order in which they were added, and all must return nil.
// The first error closes the connection, and the others are not called.
//
// A *CloseError says how the connection is closed. ErrForbidden and any other *Error close it with 4101, and
// ErrUnauthorized closes it with 4100: the client does not reconnect. Any other error is no verdict on the client. The
// hub logs it, counts it in Stats.Failures, and closes the connection with 1013 and a retry hint. After a panic, or a
// nil pointer returned as the error, the close code is 4004. OnConnect is called in a goroutine of the connection.
func (h *Hub) OnConnect(f func(ctx context.Context, c *Conn) error) {
	if f == nil {
		f = func(context.Context, *Conn) error { return errNilHook }
		h.nilHook("OnConnect")
	}
	h.handlers.change(func(s *callbacks) { s.connect = inTurn(s.connect, f) })
}

// OnMessage adds a function that is called for each message to the application: the send op, or on a raw hub every
// frame. Functions are called in the order in which they were added, and all get the same Data. Messages of one
// connection come one at a time, in order. A handler that blocks delays its own connection only, pongs included: see
// Heavy. A panic closes the connection with 4004, and the functions after it are not called.
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

// OnDisconnect adds a function that is called once for every connection that all OnConnect functions have accepted,
// after it has left its last room. Conn.Rooms then lists the rooms that it was in when it ended. Functions are called
// in the order in which they were added, even if one of them panics. err is a *CloseError if one side closed the
// connection in order. Otherwise it says why the connection was lost. A handler of the connection may still be running; its
// context has ended.
func (h *Hub) OnDisconnect(f func(ctx context.Context, c *Conn, err error)) {
	if f == nil {
		h.nilHook("OnDisconnect")
		return
	}
	h.handlers.change(func(s *callbacks) {
		s.disconnect = append(slices.Clip(s.disconnect), f)
	})
}

// OnJoin adds a function that decides whether a client may join a room that it asks for. Functions are asked in the
// order in which they were added, and all must return nil. The first error refuses the join, and the others are not
// asked. By default clients may join only the rooms of WithOpenRooms. OnJoin is not asked about those, nor about rooms
// that the server joins with Conn.Join.
//
// An *Error, such as ErrForbidden, reaches the client as it is. Any other error is no verdict on the client: a context
// has ended, or a database is unreachable. The hub logs it, counts it in Stats.Failures, and answers "unavailable" with a
// retry hint. After a panic, or a nil pointer returned as the error, the hub answers "internal". OnJoin is called in the goroutine that reads the connection, or on the worker pool if the client has
// heavy calls under way.
func (h *Hub) OnJoin(f func(ctx context.Context, c *Conn, room string) error) {
	if f == nil {
		f = func(context.Context, *Conn, string) error { return errNilHook }
		h.nilHook("OnJoin")
	}
	h.onJoin(func(ctx context.Context, c *Conn, room string) (Grant, error) { return Grant{}, f(ctx, c, room) })
}

// OnJoinGrant is OnJoin for a function that also bounds how long the client may be in the room, and whether it may
// publish there. Functions of both kinds are asked in the order in which they were added. If several return a Grant,
// the earliest end holds, and one read-only Grant makes the client read-only. A Grant that has ended refuses the join
// with "expired".
//
// The functions are asked again when the client renews its right with a new token. The token must be the same user's,
// and its Identity.ExpiresAt bounds the new Grant too. If a function refuses, the client stays until its present Grant
// ends. If the broker does not answer, the client gets no message after that end, and is told up to 10 s later that it
// has left.
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

// OnPublish adds a function that decides whether a client may publish in a room. It may change the Publication, and the
// next function sees the change. Otherwise it is like OnJoin. A client need not have joined a room to publish in it.
func (h *Hub) OnPublish(f func(ctx context.Context, c *Conn, p *Publication) error) {
	if f == nil {
		f = func(context.Context, *Conn, *Publication) error { return errNilHook }
		h.nilHook("OnPublish")
	}
	h.handlers.change(func(s *callbacks) { s.publish = inTurnAbout(s.publish, f) })
}

// OnHistory adds a function that decides whether a client may read the history of a room without being in it. Clients
// may always read the history of rooms that they are in. By default they may read no other, not even of rooms of
// WithOpenRooms. Otherwise it is like OnJoin.
func (h *Hub) OnHistory(f func(ctx context.Context, c *Conn, room string) error) {
	if f == nil {
		f = func(context.Context, *Conn, string) error { return errNilHook }
		h.nilHook("OnHistory")
	}
	h.handlers.change(func(s *callbacks) { s.history = inTurnAbout(s.history, f) })
}

// OnRefresh adds a function that is called when a client has renewed its identity with a new token, or with a room's
// name its right to be in that room. Conn.Identity is the new one then, and the client is answered afterwards. The
// token verifier decides about the token. f is for what follows from it, such as a change of Info, or an update of a
// session store. f is not called for the token of a hello: see OnConnect. Functions are called in the order in which
// they were added.
//
// f is called in the goroutine that reads the connection, or on the worker pool if the client has heavy calls under
// way. A panic closes the connection with 4004, and the functions after it are not called.
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

// inTurnAbout is inTurn for functions with one more argument.
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

// errNilHook refuses if the function that should decide is nil: the application meant to restrict something.
var errNilHook = errors.New("hub: the callback that decides is nil: it refuses everything")

// nilHook reports a nil function when it is added.
func (h *Hub) nilHook(name string) { h.log.Error("a nil function was added", "hook", name) }
