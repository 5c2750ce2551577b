package wsload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
)

// A Handler takes over what connections do: with one, they are made by Dial, send by Send, and their messages
// are not counted. Each method is called on the loop of connection i, which is i modulo Options.Loops, and must
// not block; it may call Dial, Send and Hangup for connections of that loop.
type Handler interface {
	// Opened tells that the handshake is done, and which subprotocol the server chose.
	Opened(i int, subprotocol string)
	// Message brings a whole text or binary message, whose bytes are valid until it returns.
	Message(i int, data []byte)
	// Pong brings what a ping of Send was answered with.
	Pong(i int, data []byte)
	// Closed tells, once for each Dial that returned nil, that the connection is gone or never came to be,
	// unless Hangup was called. A server that said why is quoted by a *CloseError or a *RefusedError.
	Closed(i int, err error)
}

// An Op is what a frame carries.
type Op byte

// The frames that Send sends.
const (
	Text   Op = opText
	Binary Op = opBinary
	Ping   Op = opPing
	Pong   Op = opPong // unasked, it says that the client is there
)

// A RefusedError is an answer to the handshake that is no upgrade.
type RefusedError struct {
	Status     int
	Line       string // the whole of the status line
	RetryAfter string // the header's value
}

func (e *RefusedError) Error() string { return fmt.Sprintf("server answered %q", e.Line) }

// A CloseError is a close frame. Code is 1005 where the frame has none.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("closed by the server with %d", e.Code)
	}
	return fmt.Sprintf("closed by the server with %d: %s", e.Code, e.Reason)
}

func parseClose(payload []byte) *CloseError {
	if len(payload) < 2 {
		return &CloseError{Code: 1005}
	}
	return &CloseError{Code: int(binary.BigEndian.Uint16(payload)), Reason: string(payload[2:])}
}

// headerValue finds the first value of a header in the raw head of an answer, or returns "".
func headerValue(head []byte, name string) string {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if ok && http.CanonicalHeaderKey(string(key)) == name {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
