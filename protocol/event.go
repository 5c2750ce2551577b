package protocol

import "time"

// Event is a frame from server to client.
//
// After Decode the byte slices point into the frame, or, where a string was written with escapes,
// into memory of the Event. They are valid as long as the frame is and until the next Decode; what
// is kept for longer must be copied. A field the op does not have is left zero. Used again and
// again, an Event is decoded without allocating.
type Event struct {
	// Op is OpUnknown for an op of a later version; such a frame is to be ignored.
	Op Op
	// ID of the request that is answered by welcome, ok or error; zero where none is.
	ID uint64
	// Room of ok, error, message, presence, join, leave, gap, joined, left, refresh and skip; nil where absent.
	Room []byte
	// Position of ok, message, gap, skip and joined; zero where absent.
	Position Position
	// Data of welcome, ok, message, presence, join and leave: one valid JSON value as it was written; nil
	// where absent.
	Data []byte
	// Conn, Node and Session of welcome.
	Conn, Node, Session []byte
	// Ping of welcome: how often the server pings; zero where it does not say.
	Ping time.Duration
	// Ticket of welcome, for the next handshake; nil where absent.
	Ticket []byte
	// Limits of welcome; zero where absent.
	Limits Limits
	// Code of error and left.
	Code []byte
	// Message of error, left and goaway.
	Message []byte
	// RetryAfter of error, left and goaway, Spread of goaway and presence, at most MaxDelay.
	RetryAfter, Spread time.Duration
	// Expires of welcome, ok, joined and refresh: how long the identity or the right to be in the room is valid, at
	// least. It is at most MaxDelay, and zero where absent.
	Expires time.Duration
	// ReadOnly of ok and joined: the client may not publish in the room.
	ReadOnly bool
	// From and Tags of message: a JSON object as it was written, the values of Tags being strings; nil where absent. Meta
	// takes them apart.
	From, Tags []byte
	// Time of message: when it was published, in milliseconds since 1970; zero where absent.
	Time int64
	// TraceParent and TraceState of message; nil where absent.
	TraceParent, TraceState []byte

	scratch []byte
}

// Decode reads a frame and overwrites all of e. Errors are of type *Error with CodeBadRequest. Types
// and ranges are checked; that the server sent every field it should is not.
func (e *Event) Decode(frame []byte) error {
	r := reader{scratch: e.scratch}
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
		e.Data = r.fields.get(fieldData)
	case OpOK:
		e.ID = r.integer(fieldID, MaxID)
		e.decodeGrant(r)
		e.Data = r.fields.get(fieldData)
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
		e.Data = r.fields.get(fieldData)
		e.decodeMeta(r)
	case OpPresence:
		e.Room = r.text(fieldRoom)
		e.Data = r.fields.get(fieldData)
		e.Spread = r.delay(fieldSpread)
	case OpJoin, OpLeave:
		e.Room = r.text(fieldRoom)
		e.Data = r.fields.get(fieldData)
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

// Err returns what an error frame or a left frame says, as an *Error that keeps nothing of the frame. It returns nil for
// every other op.
func (e *Event) Err() error {
	if e.Op != OpError && e.Op != OpLeft {
		return nil
	}
	return &Error{Code: ErrorCode(e.Code), Message: string(e.Message), RetryAfter: e.RetryAfter}
}

// Hint returns what a goaway frame says. It keeps nothing of the frame.
func (e *Event) Hint() Hint {
	if e.Op != OpGoAway {
		return Hint{}
	}
	return Hint{RetryAfter: e.RetryAfter, Spread: e.Spread, Reason: string(e.Message)}
}
