package protocol

import "time"

// Welcome is the content of the first frame to a client.
type Welcome struct {
	// ID is that of the hello; zero if there was none.
	ID                  uint64
	Conn, Node, Session string
	// Ping is the interval at which the server pings; zero is left out.
	Ping time.Duration
	// Ticket is for the client's next handshake: see ResumeParam. An empty one is left out.
	Ticket string
	// Limits are the limits for the client; the zero Limits are left out.
	Limits Limits
	// Expires is how long the identity is valid. Zero means that it does not expire, and is left out.
	Expires time.Duration
	// Data is the application's: valid JSON, or empty, which is left out.
	Data []byte
}

// OK is the answer to a request that succeeded.
type OK struct {
	// ID is that of the request; zero is left out.
	ID uint64
	// Room is left out if empty.
	Room string
	// Epoch and Offset are a position. It is left out if Epoch is empty.
	Epoch  string
	Offset uint64
	// Expires is how long the identity or the right to be in the room is valid; zero is left out.
	Expires time.Duration
	// ReadOnly is set if the client may not publish in the room; false is left out.
	ReadOnly bool
	// Data is valid JSON, or empty, which is left out.
	Data []byte
}

// AppendMessage appends a message frame. An empty room is left out. If epoch is empty, the position is left out. data
// must be valid JSON. If it is empty, null is written.
func AppendMessage(dst []byte, room string, data []byte, epoch string, offset uint64) []byte {
	const rest = len(`{"op":"message","room":"","epoch":"","offset":,"data":null}`) + 20
	if need := rest + len(room) + len(epoch) + len(data); cap(dst)-len(dst) < need {
		dst = append(make([]byte, 0, len(dst)+need), dst...)
	}
	dst = append(dst, `{"op":"message"`...)
	dst = appendTextField(dst, `,"room":`, room)
	dst = appendPosition(dst, epoch, offset)
	return append(appendDataField(dst, orNull(data)), '}')
}

// AppendWelcome appends a welcome frame.
func AppendWelcome(dst []byte, w Welcome) []byte {
	dst = append(dst, `{"op":"welcome"`...)
	dst = appendUintField(dst, `,"id":`, w.ID)
	dst = appendTextField(dst, `,"conn":`, w.Conn)
	dst = appendTextField(dst, `,"node":`, w.Node)
	dst = appendTextField(dst, `,"session":`, w.Session)
	dst = appendDelay(dst, `,"ping_ms":`, w.Ping)
	dst = appendTextField(dst, `,"ticket":`, w.Ticket)
	dst = appendLimits(dst, w.Limits)
	dst = appendDelay(dst, `,"expires_ms":`, w.Expires)
	return append(appendDataField(dst, w.Data), '}')
}

// AppendOK appends an ok frame.
func AppendOK(dst []byte, o OK) []byte {
	dst = append(dst, `{"op":"ok"`...)
	dst = appendUintField(dst, `,"id":`, o.ID)
	dst = appendGrant(dst, o)
	return append(appendDataField(dst, o.Data), '}')
}

func appendGrant(dst []byte, o OK) []byte {
	dst = appendTextField(dst, `,"room":`, o.Room)
	dst = appendPosition(dst, o.Epoch, o.Offset)
	dst = appendDelay(dst, `,"expires_ms":`, o.Expires)
	return appendFlag(dst, `,"read_only":true`, o.ReadOnly)
}

// AppendOKHead appends an ok frame up to its data. Append one valid JSON value and a closing brace to complete it. With it,
// connections can share the data of an answer that is the same for all. o.Data is ignored.
func AppendOKHead(dst []byte, o OK) []byte {
	o.Data = nil
	dst = AppendOK(dst, o)
	return append(dst[:len(dst)-1], `,"data":`...)
}

// AppendError appends an error frame. A zero id and an empty room are left out.
func AppendError(dst []byte, id uint64, room string, e *Error) []byte {
	dst = append(dst, `{"op":"error"`...)
	dst = appendUintField(dst, `,"id":`, id)
	dst = appendTextField(dst, `,"room":`, room)
	dst = appendString(append(dst, `,"code":`...), string(e.Code))
	dst = appendString(append(dst, `,"message":`...), e.Message)
	dst = appendDelay(dst, `,"retry_after_ms":`, e.RetryAfter)
	return append(dst, '}')
}

// AppendGap appends a gap frame: the messages of the room continue after the position.
func AppendGap(dst []byte, room, epoch string, offset uint64) []byte {
	dst = append(dst, `{"op":"gap"`...)
	dst = appendTextField(dst, `,"room":`, room)
	dst = appendPosition(dst, epoch, offset)
	return append(dst, '}')
}

// AppendStale appends a stale frame.
func AppendStale(dst []byte) []byte { return append(dst, `{"op":"stale"}`...) }

// AppendLive appends a live frame.
func AppendLive(dst []byte) []byte { return append(dst, `{"op":"live"}`...) }

// AppendGoAway appends a goaway frame, with h.Reason as its message. Times are written as AppendHint
// writes them.
func AppendGoAway(dst []byte, h Hint) []byte {
	dst = append(dst, `{"op":"goaway"`...)
	dst = appendDelay(dst, `,"retry_after_ms":`, h.RetryAfter)
	dst = appendDelay(dst, `,"spread_ms":`, h.Spread)
	dst = appendTextField(dst, `,"message":`, h.Reason)
	return append(dst, '}')
}

// AppendClosed appends the frame that ends a stream of Server-Sent Events, in place of a close frame. It has op close, the
// code, and the fields of h as AppendHint writes them.
func AppendClosed(dst []byte, code CloseCode, h Hint) []byte {
	dst = append(dst, `{"op":"close"`...)
	dst = appendUintField(dst, `,"code":`, uint64(code))
	dst = appendDelay(dst, `,"retry_after_ms":`, h.RetryAfter)
	dst = appendDelay(dst, `,"spread_ms":`, h.Spread)
	dst = appendTextField(dst, `,"reason":`, h.Reason)
	return append(dst, '}')
}

// AppendRequest appends the frame of q. Optional fields that are zero are left out, and fields of other ops are
// ignored. Nothing is checked: q.Tags must be valid JSON, and so must q.Data unless q.Binary is set. If publish or
// send has no Data, null is written.
func AppendRequest(dst []byte, q *Request) []byte {
	dst = append(append(append(dst, `{"op":"`...), q.Op.String()...), '"')
	dst = appendUintField(dst, `,"id":`, q.ID)
	switch q.Op {
	case OpHello:
		dst = appendTextField(dst, `,"token":`, q.Token)
		dst = appendTextField(dst, `,"session":`, q.Session)
		dst = appendResume(dst, q.Resume)
	case OpJoin:
		dst = appendString(append(dst, `,"room":`...), q.Room)
		dst = appendPosition(dst, q.Position.Epoch, q.Position.Offset)
		dst = appendUintField(dst, `,"history":`, uint64(max(q.History, 0)))
	case OpLeave:
		dst = appendString(append(dst, `,"room":`...), q.Room)
	case OpPresence:
		dst = appendString(append(dst, `,"room":`...), q.Room)
		dst = appendFlag(dst, `,"count":true`, q.Count)
		dst = appendTextField(dst, `,"after":`, q.After)
		dst = appendCount(dst, `,"limit":`, q.Limit)
	case OpHistory:
		dst = appendString(append(dst, `,"room":`...), q.Room)
		dst = appendPosition(dst, q.Position.Epoch, q.Position.Offset)
		dst = appendCount(dst, `,"limit":`, q.Limit)
		dst = appendFlag(dst, `,"reverse":true`, q.Reverse)
	case OpToken:
		dst = appendTextField(dst, `,"room":`, q.Room)
		dst = appendString(append(dst, `,"token":`...), q.Token)
	case OpPublish:
		dst = appendString(append(dst, `,"room":`...), q.Room)
		dst = appendTextField(dst, `,"key":`, q.IdempotencyKey)
		if len(q.Tags) > 0 {
			dst = append(append(dst, `,"tags":`...), q.Tags...)
		}
		dst = appendTextField(dst, `,"traceparent":`, q.TraceParent)
		dst = appendTextField(dst, `,"tracestate":`, q.TraceState)
		dst = appendFlag(dst, `,"echo":false`, q.NoEcho)
		dst = appendPayload(dst, q.Data, q.Binary)
	case OpCall:
		dst = appendTextField(dst, `,"method":`, q.Method)
		dst = appendDataField(dst, q.Data)
	case OpSend:
		dst = appendPayload(dst, q.Data, q.Binary)
	}
	return append(dst, '}')
}

func appendResume(dst []byte, rooms []Resume) []byte {
	if len(rooms) == 0 {
		return dst
	}
	dst = append(dst, `,"resume":[`...)
	for i, r := range rooms {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"room":`...), r.Room)
		dst = appendPosition(dst, r.Position.Epoch, r.Position.Offset)
		dst = append(appendFlag(dst, `,"joined":true`, r.Joined), '}')
	}
	return append(dst, ']')
}

var null = []byte("null")

func orNull(data []byte) []byte {
	if len(data) == 0 {
		return null
	}
	return data
}
