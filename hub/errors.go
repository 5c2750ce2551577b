package hub

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

var (
	// ErrClosed is returned by a hub that is closed or draining and by a connection that is gone. It
	// matches net.ErrClosed.
	ErrClosed = fmt.Errorf("hub: %w", net.ErrClosed)
	// ErrData is returned for a payload that is not one valid JSON value, on a hub that is not raw.
	ErrData = errors.New("hub: data is not valid JSON")
	// ErrText is returned by a raw hub for text that is not UTF-8: a browser would fail the connection over it.
	ErrText = errors.New("hub: text is not valid UTF-8: send it as binary")
	// ErrCloseCode is returned by Conn.Close for a code that a close frame must not carry.
	ErrCloseCode = errors.New("hub: a close frame must not carry this code")
	// ErrRaw is returned for what protocol v1 has and a raw hub has not.
	ErrRaw = errors.New("hub: not on a raw hub")
	// ErrNoPresence is returned for a room whose rule does not enable presence.
	ErrNoPresence = errors.New("hub: the room has no presence")
	// ErrNoHistory is returned for a room whose rule does not enable history.
	ErrNoHistory = errors.New("hub: the room has no history")
	// ErrTooManyRooms is returned to a connection that has joined as many rooms as it may.
	ErrTooManyRooms = errors.New("hub: too many rooms")
	// ErrJoining is returned to a second Join of a room while the first is under way.
	ErrJoining = errors.New("hub: join under way")
	// ErrForbidden is what a client hears of where no authorizer allowed what it asked for.
	ErrForbidden = &Error{Code: protocol.CodeForbidden, Message: "not allowed"}
)

// Error is an error that is told to the client as it is, with a code of its own. Every other error that a
// handler or an authorizer returns reaches the client as "internal" or "forbidden", and the log as
// itself.
type Error = protocol.Error

// CloseError ends a connection: OnConnect returns it to say how, and OnDisconnect is told by it why.
type CloseError struct {
	// Code says whether the client comes back; see package protocol. A code that a close frame must not carry, zero
	// included, is replaced by 1011 and logged: see protocol.CloseCode.Sendable.
	Code protocol.CloseCode
	// Reason is for whoever reads it at the other end, at most 123 bytes.
	Reason string
	// RetryAfter and Spread tell the client when to come back: after RetryAfter and a random part of
	// Spread. Where one is set, Reason is sent inside the hint.
	RetryAfter, Spread time.Duration
	// Err is the cause, where there is one.
	Err error
}

// Error implements error.
func (e *CloseError) Error() string {
	s := "hub: connection closed: " + e.Code.String()
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *CloseError) Unwrap() error { return e.Err }

// HTTPError refuses a handshake with a status of its own: an authenticator returns it in place of
// the usual 401.
type HTTPError struct {
	Status int
	// Message is sent as the body.
	Message string
	// RetryAfter, when positive, is sent as the Retry-After header, in whole seconds.
	RetryAfter time.Duration
	// Err is the cause, for the log.
	Err error
}

// Unwrap returns Err.
func (e *HTTPError) Unwrap() error { return e.Err }

// Error implements error.
func (e *HTTPError) Error() string {
	return fmt.Sprintf("hub: handshake refused with %d: %s", e.Status, e.Message)
}
