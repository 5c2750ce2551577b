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
	ErrDisconnected = errors.New("client: disconnected before the answer; the server may have executed the request")
	// ErrQueueFull is returned if the queue holds as many requests or bytes as WithQueue allows.
	ErrQueueFull = errors.New("client: queue full")
	// ErrRunning is returned by the second call of Run.
	ErrRunning = errors.New("client: Run was already called; make a new client")
	// ErrSubscribed is returned by Subscribe for a room that already has a subscription.
	ErrSubscribed = errors.New("client: room already has a subscription; unsubscribe it first")
	// ErrInvalid matches every error about an option or an argument.
	ErrInvalid = errors.New("client: invalid argument")
	// ErrDead is the error of a connection whose server stayed silent for the timeout after a ping.
	ErrDead = errors.New("client: the server did not answer a ping in time")
	// ErrTooLarge matches the error for a message from the server above the read limit, which WithReadLimit sets.
	ErrTooLarge = errors.New("client: larger than the read limit")
	// ErrProtocol matches every error about invalid data from the server.
	ErrProtocol = errors.New("client: protocol violation by the server")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// CloseError is a close frame from the server. Run returns it if its code forbids a reconnect.
type CloseError struct {
	Code protocol.CloseCode
	// Reason as it was sent. If it is a hint, Hint has its contents.
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

// RetryAfter returns when the server wants the client to reconnect: after + U(0, spread). Both are zero if it did not
// say.
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

// RetryAfter returns After, and half of it as the spread, at least a second. The header has a resolution of one
// second, and all clients refused together received the same value.
func (e *HandshakeError) RetryAfter() (after, spread time.Duration) {
	if e.After == 0 {
		return 0, 0
	}
	return e.After, max(time.Second, e.After/2)
}

// RoomError is passed to a subscription's OnError if the server refuses the room, or if a message of the room was
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

// LeftError says that the server has taken the client out of a room. OnError of the subscription receives it. With
// errors.Is it matches its code: protocol.CodeRemoved, protocol.CodeExpired or another.
type LeftError struct {
	Room    string
	Code    protocol.ErrorCode
	Message string
}

// Error implements error.
func (e *LeftError) Error() string {
	text := "client: the server has ended the stay in room " + strconv.Quote(e.Room) + ": " + string(e.Code)
	if e.Message == "" {
		return text
	}
	return text + ": " + e.Message
}

// Unwrap returns the code.
func (e *LeftError) Unwrap() error { return e.Code }

// DecodeError is passed to OnError of a subscription made by SubscribeJSON if a message does not decode into T.
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

// LoopError is the Err of Disconnected if several connections in a row ended in the same way without progress. The
// client then waits from 5 s up to 5 min before the next, and not less than the server says.
type LoopError struct {
	// Times is how many connections have ended in this way.
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
