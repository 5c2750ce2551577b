package protocol

import "time"

// ErrorCode is the code of an error frame. It is itself an error, so that
//
//	errors.Is(err, protocol.CodeForbidden)
//
// finds it in an [*Error].
type ErrorCode string

// The error codes. A client must accept codes that are not listed: later servers may send others, and so may
// applications in their answers to call.
const (
	CodeBadRequest    ErrorCode = "bad_request"
	CodeUnknownOp     ErrorCode = "unknown_op"
	CodeBadRoom       ErrorCode = "bad_room"
	CodeUnknownRoom   ErrorCode = "unknown_room"
	CodeUnknownMethod ErrorCode = "unknown_method"
	CodeUnauthorized  ErrorCode = "unauthorized"
	CodeForbidden     ErrorCode = "forbidden"
	CodeTooManyRooms  ErrorCode = "too_many_rooms"
	CodeTooLarge      ErrorCode = "too_large"
	CodeRateLimited   ErrorCode = "rate_limited"
	CodeBusy          ErrorCode = "busy"
	CodeUnavailable   ErrorCode = "unavailable"
	CodeNoHistory     ErrorCode = "no_history"
	CodeNoPresence    ErrorCode = "no_presence"
	CodeConflict      ErrorCode = "conflict"
	CodeInternal      ErrorCode = "internal"
	CodeGone          ErrorCode = "gone"
	CodeRemoved       ErrorCode = "removed"
	CodeExpired       ErrorCode = "expired"
)

type errorInfo struct {
	code    ErrorCode
	retry   bool
	explain string
}

// errorTable is the only list of error codes; PROTOCOL.md is tested against it.
var errorTable = []errorInfo{
	{CodeBadRequest, false, "the frame is not a JSON object, or a field has the wrong type, is out of range or is missing"},
	{CodeUnknownOp, false, "the op is unknown, or only servers send it"},
	{CodeBadRoom, false, "the room name is not 1 to 255 bytes of UTF-8 without control characters"},
	{CodeUnknownRoom, false, "the connection has not joined the room"},
	{CodeUnknownMethod, false, "the server has no handler for this method"},
	{CodeUnauthorized, false, "the client is not authenticated, or no longer"},
	{CodeForbidden, false, "the client may not do this"},
	{CodeTooManyRooms, false, "the connection is already in as many rooms as the server allows"},
	{CodeTooLarge, false, "the data is larger than the room or the method allows"},
	{CodeRateLimited, true, "the client exceeds its rate"},
	{CodeBusy, true, "the server has no capacity for more work"},
	{CodeUnavailable, true, "a part of the server cannot be reached for now; whether a publication was accepted is unknown"},
	{CodeNoHistory, false, "the room has no history"},
	{CodeNoPresence, false, "the room has no presence"},
	{CodeConflict, false, "the request contradicts the present state"},
	{CodeInternal, false, "the server failed; its log says more"},
	{CodeGone, false, "the requested history is no longer stored"},
	{CodeRemoved, false, "the application has revoked the right to be in the room"},
	{CodeExpired, false, "the right to be in the room has expired"},
}

func (c ErrorCode) info() (errorInfo, bool) {
	for _, e := range errorTable {
		if e.code == c {
			return e, true
		}
	}
	return errorInfo{}, false
}

// Error returns the code.
func (c ErrorCode) Error() string { return string(c) }

// Explain returns a sentence about the code, and "" for a code that is not listed.
func (c ErrorCode) Explain() string {
	e, _ := c.info()
	return e.explain
}

// Retry reports whether the same request may succeed later, unchanged. It is false for a code
// that is not listed.
func (c ErrorCode) Retry() bool {
	e, _ := c.info()
	return e.retry
}

// Error is the content of an error frame: the error of a request. It matches its code with errors.Is.
type Error struct {
	Code ErrorCode
	// Message explains the error to a developer.
	Message string
	// RetryAfter is the least time to wait before the next try. It is zero if the server does not say.
	RetryAfter time.Duration
}

// Error returns the code and the message.
func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap returns the code.
func (e *Error) Unwrap() error { return e.Code }
