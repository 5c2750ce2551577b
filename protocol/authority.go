package protocol

import "time"

// AppendJoined appends a joined frame: the server has put the client into a room. o has the position from which on, how long,
// and whether only to read. o.ID and o.Data are ignored.
func AppendJoined(dst []byte, o OK) []byte {
	return append(appendGrant(append(dst, `{"op":"joined"`...), o), '}')
}

// AppendLeft appends a left frame: the client is no longer in a room. If e has CodeUnavailable and RetryAfter, the client
// joins again by itself. After any other e the application decides.
func AppendLeft(dst []byte, room string, e *Error) []byte {
	dst = appendTextField(append(dst, `{"op":"left"`...), `,"room":`, room)
	dst = appendString(append(dst, `,"code":`...), string(e.Code))
	dst = appendTextField(dst, `,"message":`, e.Message)
	return append(appendDelay(dst, `,"retry_after_ms":`, e.RetryAfter), '}')
}

// AppendRefresh appends a refresh frame, which asks a client for a new token. If room is empty, the token is for its identity,
// and otherwise for its right to be in that room. left is how long the present one is still valid.
func AppendRefresh(dst []byte, room string, left time.Duration) []byte {
	dst = appendTextField(append(dst, `{"op":"refresh"`...), `,"room":`, room)
	return append(appendDelay(dst, `,"expires_ms":`, left), '}')
}
