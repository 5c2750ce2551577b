package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

var (
	// ErrClosed is returned by every call after Run has ended or Close was called. It matches net.ErrClosed.
	ErrClosed = fmt.Errorf("client: %w", net.ErrClosed)
	// ErrDisconnected is returned if the connection was lost after a request was sent and before its answer came. Whether the
	// server executed it is unknown.
	ErrDisconnected = errors.New("client: disconnected before the answer")
	// ErrQueueFull is returned if as many requests wait as WithQueue allows.
	ErrQueueFull = errors.New("client: queue full")
	// ErrRunning is returned by the second call of Run.
	ErrRunning = errors.New("client: Run was called before")
	// ErrSubscribed is returned by Subscribe for a room that has a subscription.
	ErrSubscribed = errors.New("client: room is subscribed already")
	// ErrInvalid matches every complaint about an option or an argument.
	ErrInvalid = errors.New("client: invalid argument")
	// ErrDead is what a connection ended with that answered no ping in time.
	ErrDead = errors.New("client: no sign of life from the server")
	// ErrTooLarge matches what is told of a message from the server above the read limit, which WithReadLimit sets.
	ErrTooLarge = errors.New("client: larger than the read limit")
	// ErrProtocol matches every complaint about what the server sent.
	ErrProtocol = errors.New("client: protocol violation by the server")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// CloseError is a close frame from the server. Run returns it if the code is one after which a client does not come back.
type CloseError struct {
	Code protocol.CloseCode
	// Reason as it was sent. Where it is a hint, Hint says what it holds.
	Reason string
	Hint   protocol.Hint
}

// Error implements error.
func (e *CloseError) Error() string {
	reason := e.Reason
	if e.Hint != (protocol.Hint{}) {
		reason = e.Hint.Reason
	}
	if reason == "" {
		return "client: closed by the server: " + e.Code.String()
	}
	return "client: closed by the server: " + e.Code.String() + ": " + reason
}

// RetryAfter returns when the server wants the client back: after + U(0, spread). Both are zero if it did not say.
func (e *CloseError) RetryAfter() (after, spread time.Duration) {
	return e.Hint.RetryAfter, e.Hint.Spread
}

// HandshakeError is an HTTP answer other than 101 to the WebSocket handshake. Run returns it for 403,
// and for 401 unless a token function gives a token that is accepted at the next try.
type HandshakeError struct {
	StatusCode int
	// After is what the Retry-After header says, at most protocol.MaxDelay; zero without one.
	After time.Duration
}

// Error implements error.
func (e *HandshakeError) Error() string {
	return "client: handshake answered with " + strconv.Itoa(e.StatusCode) + " " + http.StatusText(e.StatusCode)
}

// RetryAfter returns After, and for a spread half of it, at least a second: the header counts in whole
// seconds, and all who were turned away together were told the same.
func (e *HandshakeError) RetryAfter() (after, spread time.Duration) {
	if e.After == 0 {
		return 0, 0
	}
	return e.After, max(time.Second, e.After/2)
}

// RoomError is what a subscription's OnError is told when the server refuses the room, or when a message of the room was
// larger than the read limit. The reason is a *protocol.Error, or matches ErrTooLarge.
type RoomError struct {
	Room string
	Err  error
}

// Error implements error.
func (e *RoomError) Error() string {
	return "client: room " + strconv.Quote(e.Room) + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *RoomError) Unwrap() error { return e.Err }

// LeftError says that the server has taken the client out of a room. OnError of the subscription is told. It matches its
// code with errors.Is: protocol.CodeRemoved, protocol.CodeExpired or another.
type LeftError struct {
	Room    string
	Code    protocol.ErrorCode
	Message string
}

func (e *LeftError) Error() string {
	text := "client: the server has ended the stay in room " + strconv.Quote(e.Room) + ": " + string(e.Code)
	if e.Message == "" {
		return text
	}
	return text + ": " + e.Message
}

// Unwrap returns the code.
func (e *LeftError) Unwrap() error { return e.Code }

// DecodeError is what OnError of a subscription made by SubscribeJSON is told of a message that is not
// a T.
type DecodeError struct {
	Message Message
	Err     error
}

// Error implements error.
func (e *DecodeError) Error() string {
	return "client: message of room " + strconv.Quote(e.Message.Room) + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// LoopError is the Err of Disconnected if several connections in a row ended in the same way and nothing came of them. The
// client then waits longer before the next one: from 5 s up to 5 min, and not less than the server says.
type LoopError struct {
	// Times is how many connections have ended so.
	Times int
	// Err is what the last one ended with.
	Err error
}

// Error implements error.
func (e *LoopError) Error() string {
	return "client: " + strconv.Itoa(e.Times) + " connections in a row ended so, without progress: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *LoopError) Unwrap() error { return e.Err }
