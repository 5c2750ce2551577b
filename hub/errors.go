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
	// ErrOption matches every complaint about an option: of New, Publish, Join and Handle.
	ErrOption = errors.New("hub: invalid options")
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
	// ErrRemoved is returned by a Join during which the room was taken away from the user; see RemoveFromRoom.
	ErrRemoved = errors.New("hub: removed from the room")
	// ErrCallback is returned by Close and Shutdown if a callback calls them, which they cannot wait for. The hub ends
	// all the same, after the callback has returned.
	ErrCallback = errors.New("hub: called from a callback, which it does not wait for")
	// ErrUnauthorized is returned by a callback that does not know who the client is. It refuses for good: with status
	// 401, close code 4100 or the error code unauthorized. It may be wrapped.
	ErrUnauthorized = &Error{Code: protocol.CodeUnauthorized, Message: "not authorized"}
	// ErrForbidden is returned by a callback that does not allow what the client asks for. It refuses for good: with
	// status 403, close code 4101 or the error code forbidden. It may be wrapped. Clients hear it too if there is no
	// callback to ask.
	ErrForbidden = &Error{Code: protocol.CodeForbidden, Message: "not allowed"}
)

// Error is an error that is told to the client as it is, with a code of its own. Any other error of a handler reaches
// the client as "internal", and any other error of an authorizer as "unavailable". The log has its text.
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
	// Status is from 400 to 599; anything else is answered with 500.
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
