package protocol

import "time"

// AppendJoined appends the frame that tells a client that the server has put it into a room, from which position on, until
// when and whether only to read. o.ID and o.Data are not looked at.
func AppendJoined(dst []byte, o OK) []byte {
	return append(appendGrant(append(dst, `{"op":"joined"`...), o), '}')
}

// AppendLeft appends the frame that tells a client that it is no longer in a room. An e with CodeUnavailable and RetryAfter
// has the client join again by itself; after any other the application decides.
func AppendLeft(dst []byte, room string, e *Error) []byte {
	dst = appendTextField(append(dst, `{"op":"left"`...), `,"room":`, room)
	dst = appendString(append(dst, `,"code":`...), string(e.Code))
	dst = appendTextField(dst, `,"message":`, e.Message)
	return append(appendDelay(dst, `,"retry_after_ms":`, e.RetryAfter), '}')
}

// AppendRefresh appends the frame that asks a client for a new token, for its identity or, if room is not empty, for its
// right to be in that room. left is how long the present one is valid.
func AppendRefresh(dst []byte, room string, left time.Duration) []byte {
	dst = appendTextField(append(dst, `{"op":"refresh"`...), `,"room":`, room)
	return append(appendDelay(dst, `,"expires_ms":`, left), '}')
}
