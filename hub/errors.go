package hub

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

var (
	// ErrClosed is returned if the hub is closed or draining, or if the connection is closed. It matches net.ErrClosed.
	ErrClosed = fmt.Errorf("hub: %w", net.ErrClosed)
	// ErrOption matches every error about an option of New, Publish, Join and Handle.
	ErrOption = errors.New("hub: invalid options")
	// ErrData is returned for a payload that is not one valid JSON value, unless the hub is raw.
	ErrData = errors.New("hub: data is not valid JSON")
	// ErrText is returned by a raw hub for text that is not valid UTF-8. A browser would close the connection because
	// of it.
	ErrText = errors.New("hub: text is not valid UTF-8: send it as binary")
	// ErrCloseCode is returned for a close code that a close frame must not carry; see protocol.CloseCode.Sendable.
	ErrCloseCode = errors.New("hub: a close frame must not carry this code")
	// ErrNoConn is returned for a connection that this node does not have, or no longer has.
	ErrNoConn = errors.New("hub: this node has no such connection")
	// ErrNoPresence is returned for a room whose rule does not enable presence.
	ErrNoPresence = errors.New("hub: the room has no presence")
	// ErrNoHistory is returned for a room whose rule does not enable history.
	ErrNoHistory = errors.New("hub: the room has no history")
	// ErrTooManyRooms is returned if the connection is already in as many rooms as WithMaxRooms allows.
	ErrTooManyRooms = errors.New("hub: the connection has reached its maximum of rooms")
	// ErrJoining is returned by a Join or Leave of a room while an earlier Join of it is under way.
	ErrJoining = errors.New("hub: another join of this room is still under way")
	// ErrRemoved is returned by a Join if RemoveFromRoom or Conn.Leave took the room away meanwhile.
	ErrRemoved = errors.New("hub: the connection was removed from the room during the join")
	// ErrCallback is returned by Close and Shutdown if a callback calls them, because they cannot wait for that
	// callback. The hub still closes, after the callback has returned.
	ErrCallback = errors.New("hub: called from a callback: the hub closes after the callback has returned")
	// ErrUnauthorized is returned by a callback that cannot identify the client. The refusal is final: status 401,
	// close code 4100 or the error code unauthorized. It may be wrapped.
	ErrUnauthorized = &Error{Code: protocol.CodeUnauthorized, Message: "not authorized"}
	// ErrForbidden is returned by a callback that does not allow what the client asks for. The refusal is final: status
	// 403, close code 4101 or the error code forbidden. It may be wrapped. Clients also get it if the hub has no
	// callback to ask.
	ErrForbidden = &Error{Code: protocol.CodeForbidden, Message: "not allowed"}
)

// Error is an error that reaches the client as it is, with its own code. Any other error of a handler reaches the client
// as "internal", and any other error of an authorizer as "unavailable". The text of such an error is only in the log.
type Error = protocol.Error

// CloseError says how a connection ends. OnConnect returns it to close the connection, and OnDisconnect gets it as the
// cause.
type CloseError struct {
	// Code is the close code, which also says whether the client reconnects; see package protocol. If a close frame
	// must not carry the code, zero included, the hub sends 1011 and logs an error: see protocol.CloseCode.Sendable.
	Code protocol.CloseCode
	// Reason is a text for people at the client's end, at most 123 bytes.
	Reason string
	// RetryAfter and Spread are the retry hint: the client reconnects after RetryAfter and a random part of Spread. If
	// one is set, Reason is sent inside the hint.
	RetryAfter, Spread time.Duration
	// Err is the cause; nil if there is none.
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

// HTTPError refuses a handshake with a status of its own. An authenticator returns it in place of the default 401.
type HTTPError struct {
	// Status is 400 to 599. The hub answers any other status with 500.
	Status int
	// Message is sent as the body.
	Message string
	// RetryAfter is sent as the Retry-After header if it is positive, in whole seconds.
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
