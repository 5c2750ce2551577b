package protocol

import "time"

// Event is a frame from server to client.
//
// After Decode the byte slices point into the frame. If a string was written with escapes, they point into memory of
// the Event. They are valid until the frame changes or the next Decode; copy them to keep them longer. A field that
// the op does not have is zero. An Event that is used again is decoded without allocating.
type Event struct {
	// Op is OpUnknown for an op of a later version. Ignore such a frame.
	Op Op
	// ID is the request that welcome, ok or error answers; zero if none.
	ID uint64
	// Room is set in ok, error, message, presence, join, leave, gap, joined, left, refresh and skip; nil if absent.
	Room []byte
	// Position is set in ok, message, gap, skip and joined; zero if absent.
	Position Position
	// Data is set in welcome, ok, message, presence, join and leave. It is one valid JSON value as in the frame; nil
	// if absent.
	Data []byte
	// Binary is set in a message whose Data is bytes instead of JSON. A JSON frame has them as bin.
	Binary bool
	// Conn, Node and Session are set in welcome.
	Conn, Node, Session []byte
	// Ping is set in welcome: the interval at which the server pings. It is zero if the server does not say.
	Ping time.Duration
	// Ticket is set in welcome, for the next handshake; nil if absent.
	Ticket []byte
	// Limits is set in welcome; zero if absent.
	Limits Limits
	// Code is set in error and left.
	Code []byte
	// Message is set in error, left and goaway.
	Message []byte
	// RetryAfter is set in error, left and goaway, and Spread in goaway and presence. Each is at most MaxDelay.
	RetryAfter, Spread time.Duration
	// Expires is set in welcome, ok, joined and refresh: how long the identity or the right to be in the room is valid,
	// at least. It is at most MaxDelay, and zero if absent.
	Expires time.Duration
	// ReadOnly is set in ok and joined if the client may not publish in the room.
	ReadOnly bool
	// From and Tags are set in message. Each is a JSON object as in the frame; nil if absent. The values of Tags are
	// strings. Meta parses both.
	From, Tags []byte
	// Time is set in message: when it was published, in milliseconds since 1970; zero if absent.
	Time int64
	// TraceParent and TraceState are set in message; nil if absent.
	TraceParent, TraceState []byte

	scratch []byte
}

// Decode reads a frame and overwrites all of e. Errors are of type *Error with CodeBadRequest. Decode checks types
// and ranges. It does not check that the server has sent every field that it should.
func (e *Event) Decode(frame []byte) error { return e.read(frame, false) }

func (e *Event) read(frame []byte, cbor bool) error {
	r := reader{scratch: e.scratch, cbor: cbor}
	*e = Event{}
	r.open(frame, frameDepth)
	r.need(fieldOp)
	if e.Op = lookupOp(r.text(fieldOp)); !e.Op.Event() {
		e.Op = OpUnknown
	}
	if r.err == nil {
		e.decode(&r)
	}
	e.scratch = r.scratch
	if r.err != nil {
		return r.err
	}
	return nil
}

func (e *Event) decode(r *reader) {
	switch e.Op {
	case OpWelcome:
		e.ID = r.integer(fieldID, MaxID)
		e.Conn, e.Node, e.Session = r.text(fieldConn), r.text(fieldNode), r.text(fieldSession)
		e.Ping = r.delay(fieldPing)
		e.Ticket = r.text(fieldTicket)
		e.Limits = r.limits()
		e.Expires = r.delay(fieldExpires)
		e.Data = r.value(fieldData)
	case OpOK:
		e.ID = r.integer(fieldID, MaxID)
		e.decodeGrant(r)
		e.Data = r.value(fieldData)
	case OpJoined:
		e.decodeGrant(r)
	case OpError:
		e.ID = r.integer(fieldID, MaxID)
		e.decodeReason(r)
	case OpLeft:
		e.decodeReason(r)
	case OpRefresh:
		e.Room = r.text(fieldRoom)
		e.Expires = r.delay(fieldExpires)
	case OpMessage:
		e.Room = r.text(fieldRoom)
		e.Position = r.position()
		e.Data, e.Binary = r.payload()
		e.decodeMeta(r)
	case OpPresence:
		e.Room = r.text(fieldRoom)
		e.Data = r.value(fieldData)
		e.Spread = r.delay(fieldSpread)
	case OpJoin, OpLeave:
		e.Room = r.text(fieldRoom)
		e.Data = r.value(fieldData)
	case OpGap, OpSkip:
		e.Room = r.text(fieldRoom)
		e.Position = r.position()
	case OpGoAway:
		e.Message = r.text(fieldMessage)
		e.RetryAfter, e.Spread = r.delay(fieldRetryAfter), r.delay(fieldSpread)
	}
}

// decodeGrant reads where the client may be, from which position on, until when and whether only to read.
func (e *Event) decodeGrant(r *reader) {
	e.Room = r.text(fieldRoom)
	e.Position = r.position()
	e.Expires = r.delay(fieldExpires)
	e.ReadOnly = r.flag(fieldReadOnly)
}

func (e *Event) decodeReason(r *reader) {
	e.Room = r.text(fieldRoom)
	e.Code, e.Message = r.text(fieldCode), r.text(fieldMessage)
	e.RetryAfter = r.delay(fieldRetryAfter)
}

// Err returns the content of an error frame or a left frame as an *Error. The result does not refer to the frame. For every
// other op it returns nil.
func (e *Event) Err() error {
	if e.Op != OpError && e.Op != OpLeft {
		return nil
	}
	return &Error{Code: ErrorCode(e.Code), Message: string(e.Message), RetryAfter: e.RetryAfter}
}

// Hint returns the content of a goaway frame. For every other op it returns the zero Hint. The result does not refer to the
// frame.
func (e *Event) Hint() Hint {
	if e.Op != OpGoAway {
		return Hint{}
	}
	return Hint{RetryAfter: e.RetryAfter, Spread: e.Spread, Reason: string(e.Message)}
}
