package dash

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// Option changes a Dash. New reports every fault of every option together.
type Option func(*Dash) error

// WithAuthorizer sets the function that decides every request. It is required. f is called in the request's goroutine. For an
// open tail and an open page it is called again, at least every 15 s, with the request that opened it. For a page these calls
// come from another goroutine. nil allows the request. The package documentation says how errors are answered.
func WithAuthorizer(f func(r *http.Request) error) Option {
	return func(d *Dash) error {
		if f == nil {
			return errors.New("WithAuthorizer: the function is nil")
		}
		d.authorize = f
		return nil
	}
}

// WithActions sets the function that decides every action. f is called in the request's goroutine, after the authorizer and
// before the action. Its errors are answered as those of the authorizer. By default no action is allowed, and the page
// has no buttons for actions.
func WithActions(f func(r *http.Request, a Action) error) Option {
	return func(d *Dash) error {
		if f == nil {
			return errors.New("WithActions: the function is nil")
		}
		d.act = f
		return nil
	}
}

// WithPayloads sets the function that decides who sees the payloads of a room's messages. f is called in the request's
// goroutine when a tail begins, and at least every 15 s while it is open. After an error the tail continues without payloads. By
// default tails show no payloads.
func WithPayloads(f func(r *http.Request, room string) error) Option {
	return func(d *Dash) error {
		if f == nil {
			return errors.New("WithPayloads: the function is nil")
		}
		d.reveal = f
		return nil
	}
}

// WithFramePayloads sets the function that decides who sees the payloads of a connection's frames: everything that its client
// sends and receives. f is called as that of WithPayloads, with the connection's ID. A tail never shows the payload of a frame
// with the client's token. By default tails show no payloads.
func WithFramePayloads(f func(r *http.Request, conn string) error) Option {
	return func(d *Dash) error {
		if f == nil {
			return errors.New("WithFramePayloads: the function is nil")
		}
		d.revealIn = f
		return nil
	}
}

// WithDrain sets the function that drains this node when a dashboard of any node asks for it. Usually f does the same as your
// handler of SIGTERM. f is called at most once, in a goroutine of its own. By default a dashboard cannot drain this node.
func WithDrain(f func()) Option {
	return func(d *Dash) error {
		if f == nil {
			return errors.New("WithDrain: the function is nil")
		}
		d.drain = f
		return nil
	}
}

// WithLogger sets the logger for actions, and for errors that are not verdicts. The default is slog.Default(). Every action is logged.
// Of refused actions and of errors, at most five records a second are logged with the same message. One more record says how many
// were left out.
func WithLogger(log *slog.Logger) Option {
	return func(d *Dash) error {
		if log == nil {
			return errors.New("WithLogger: the logger is nil")
		}
		d.audit = log
		return nil
	}
}

// Kind is the kind of an Action.
type Kind string

// The kinds of actions.
const (
	// Disconnect closes the connections of a user, of a session or in a room, or one connection.
	Disconnect Kind = "disconnect"
	// Remove takes the connections of a user or of a session, or one connection, out of a room.
	Remove Kind = "remove"
	// Send sends a message to the connections of a user, of a session or in a room, or to one connection, in the
	// service's name.
	Send Kind = "send"
	// Publish publishes a message in a room, in the service's name. OnPublish is not called.
	Publish Kind = "publish"
	// Drain calls the function of WithDrain on a node, which drains its connections and ends.
	Drain Kind = "drain"
)

// Action is an action that a user of the dashboard asks for. Fields that its Kind does not use are empty.
type Action struct {
	Kind Kind
	// Disconnect and Send set one of User, Session, Conn and Room. Remove sets one of User, Session and Conn, and sets
	// Room. Publish sets Room, and Drain sets Node.
	User, Session, Conn, Room, Node string
	// Code, Reason, RetryAfter and Spread are sent to the clients that Disconnect closes. Remove sets Reason too.
	Code               protocol.CloseCode
	Reason             string
	RetryAfter, Spread time.Duration
	// Data is the payload that Publish publishes and Send sends.
	Data json.RawMessage
}
