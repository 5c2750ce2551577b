package protocol

import "unicode/utf8"

// Position is a place in a room's history, as in a frame. The zero Position means "no position".
type Position struct {
	Epoch  []byte
	Offset uint64
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return len(p.Epoch) == 0 && p.Offset == 0 }

// Request is a frame from client to server.
//
// After Decode the byte slices point into the frame. If a string was written with escapes, they point into memory of
// the Request. They are valid until the frame changes or the next Decode; copy them to keep them longer. A field
// that the op does not have is zero. A Request that is used again is decoded without allocating.
type Request struct {
	Op Op
	// ID is repeated in the answer. It is zero if the client wants no answer.
	ID uint64
	// Room is set in join, leave, publish, presence and history, and in token if it is for one room. The name is not
	// checked.
	Room []byte
	// Position is set in join, to resume from, and in history, to read from.
	Position Position
	// History is set in join: how many of the newest messages to send.
	History int
	// IdempotencyKey is set in publish: nil or 1 to MaxIdempotencyKey bytes.
	IdempotencyKey []byte
	// Method is set in call, and never empty there.
	Method []byte
	// Token is set in hello and token, and Session in hello.
	Token, Session []byte
	// Limit is set in history and presence: the largest number of messages or members in the answer. It is at most
	// MaxPage, and zero if absent.
	Limit int
	// Reverse is set in history if the newest messages come first.
	Reverse bool
	// Count is set in presence if the client wants only the numbers.
	Count bool
	// After is set in presence: the cursor of the page before, and nil for the first page.
	After []byte
	// Resume is set in hello: the rooms to resume, at most MaxResume.
	Resume []Resume
	// Tags is set in publish: a JSON object as in the frame, within the bounds of CheckTags; nil if absent. ParseTags
	// parses it.
	Tags []byte
	// TraceParent and TraceState are set in publish, and valid; nil if absent. A state without a parent is an error.
	TraceParent, TraceState []byte
	// NoEcho is set in publish if the client does not want to receive its own message.
	NoEcho bool
	// Data is set in publish, call and send: one valid JSON value as in the frame, without space
	// around it. It is nil if absent, which only call allows. null is a value.
	Data []byte
	// Binary is set in publish and send if Data is bytes instead of JSON. A JSON frame has them as bin.
	Binary bool

	scratch []byte
}

// Resume names a room to resume and the position to resume from. With the zero Position the room is only joined.
type Resume struct {
	Room     []byte
	Position Position
	// Joined is set if the server had put the connection into the room, rather than the client.
	Joined bool
}

// Decode reads a frame and overwrites all of q. Errors are of type *Error, with CodeBadRequest or
// CodeUnknownOp. After an error, q.Op and q.ID are set as far as they could be read, so that the error can be
// answered. Do not use other fields then.
func (q *Request) Decode(frame []byte) error { return q.read(frame, false) }

func (q *Request) read(frame []byte, cbor bool) error {
	r := reader{scratch: q.scratch, cbor: cbor}
	clear(q.Resume) // or a Request in a pool would hold on to frames
	*q = Request{Resume: q.Resume[:0]}
	r.open(frame, MaxDepth)
	q.ID = r.integer(fieldID, MaxID)
	name := r.text(fieldOp)
	if q.Op = lookupOp(name); !q.Op.Request() {
		q.Op = OpUnknown
	}
	if r.err == nil {
		q.decode(&r, name)
	}
	q.scratch = r.scratch
	if r.err != nil {
		return r.err
	}
	return nil
}

func (q *Request) decode(r *reader, name []byte) {
	switch q.Op {
	case OpHello:
		q.Token, q.Session = r.text(fieldToken), r.text(fieldSession)
		q.decodeResume(r)
	case OpJoin:
		r.need(fieldRoom)
		q.Room = r.text(fieldRoom)
		q.Position = r.position()
		q.History = int(r.integer(fieldHistory, MaxHistory))
	case OpLeave:
		r.need(fieldRoom)
		q.Room = r.text(fieldRoom)
	case OpPresence:
		q.needID(r)
		r.need(fieldRoom)
		q.Room = r.text(fieldRoom)
		q.Count = r.flag(fieldCounting)
		q.After = r.text(fieldAfter)
		q.Limit = int(r.upTo(fieldLimit, MaxPage))
	case OpHistory:
		q.needID(r)
		r.need(fieldRoom)
		q.Room = r.text(fieldRoom)
		q.Position = r.position()
		q.Limit = int(r.upTo(fieldLimit, MaxPage))
		q.Reverse = r.flag(fieldReverse)
	case OpToken:
		q.needID(r)
		r.need(fieldToken)
		q.Token = r.text(fieldToken)
		if q.Room = r.text(fieldRoom); q.Room != nil && len(q.Room) == 0 {
			r.fail("room is empty")
		}
	case OpPublish:
		r.need(fieldRoom)
		r.needPayload()
		q.Room = r.text(fieldRoom)
		q.Data, q.Binary = r.payload()
		q.IdempotencyKey = r.text(fieldKey)
		if q.IdempotencyKey != nil && (len(q.IdempotencyKey) == 0 || len(q.IdempotencyKey) > MaxIdempotencyKey) {
			r.fail("key must have 1 to %d bytes", MaxIdempotencyKey)
		}
		q.decodeMeta(r)
	case OpCall:
		q.needID(r)
		r.need(fieldMethod)
		q.Method = r.text(fieldMethod)
		if q.Method != nil && len(q.Method) == 0 {
			r.fail("method is empty")
		}
		q.Data = r.value(fieldData)
	case OpSend:
		r.needPayload()
		q.Data, q.Binary = r.payload()
	case OpPing:
	default:
		r.need(fieldOp)
		if r.err == nil {
			r.err = &Error{Code: CodeUnknownOp, Message: `op "` + clip(name, 32) + `" is not known`}
		}
	}
}

// needID complains if there is no answer to match: what the op asks for is in the answer.
func (q *Request) needID(r *reader) {
	if q.ID == 0 {
		r.fail("id is missing")
	}
}

// decodeResume reads an array that the scan has found to be valid JSON.
func (q *Request) decodeResume(r *reader) {
	if !r.has(fieldResume) {
		return
	}
	raw := r.fields.get(fieldResume)
	if r.cbor {
		q.resumeCBOR(r, raw)
		return
	}
	if raw[0] != '[' {
		r.fail("resume must be an array")
		return
	}
	entry := reader{scratch: r.scratch}
	for i := skipSpace(raw, 1); raw[i] != ']'; {
		if len(q.Resume) == MaxResume {
			r.fail("resume has more than %d rooms", MaxResume)
			return
		}
		end, _ := skipValue(raw, i, MaxDepth)
		entry.fields = fields{}
		if _, f := entry.fields.scan(raw[i:end], MaxDepth); f != faultNone {
			r.fail("resume must hold objects")
			return
		}
		q.addResume(&entry)
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	r.scratch = entry.scratch
	if entry.err != nil {
		r.fail("in resume: %s", entry.err.Message)
	}
}

func (q *Request) addResume(entry *reader) {
	entry.need(fieldRoom)
	q.Resume = append(q.Resume, Resume{Room: entry.text(fieldRoom), Position: entry.position(), Joined: entry.flag(fieldJoined)})
}

// clip returns the first n bytes of s or less, so that no rune is cut.
func clip(s []byte, n int) string {
	if len(s) <= n {
		return string(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return string(s[:n]) + "…"
}
