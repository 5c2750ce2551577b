package protocol

import "unicode/utf8"

// Position is a place in a room's history, as a frame carries it. The zero Position is none.
type Position struct {
	Epoch  []byte
	Offset uint64
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return len(p.Epoch) == 0 && p.Offset == 0 }

// Request is a frame from client to server.
//
// After Decode the byte slices point into the frame, or, where a string was written with escapes,
// into memory of the Request. They are valid as long as the frame is and until the next Decode;
// what is kept for longer must be copied. A field the op does not have is left zero. Used again and
// again, a Request is decoded without allocating.
type Request struct {
	Op Op
	// ID comes back in the answer; zero where no answer is wanted.
	ID uint64
	// Room of join, leave, publish, presence and history, and of token if it is for one room. The name is not checked.
	Room []byte
	// Position of join, to resume from, and of history, to read from.
	Position Position
	// History of join: how many of the newest messages to send.
	History int
	// IdempotencyKey of publish, nil or 1 to MaxIdempotencyKey bytes.
	IdempotencyKey []byte
	// Method of call, never empty.
	Method []byte
	// Token of hello and token, Session of hello.
	Token, Session []byte
	// Limit of history and presence: how many messages or members to answer with, at most MaxPage; zero where absent.
	Limit int
	// Reverse of history: the newest messages first.
	Reverse bool
	// Count of presence: only the numbers are asked for.
	Count bool
	// After of presence: the cursor of the page before; nil for the first page.
	After []byte
	// Resume of hello: the rooms to go on with, at most MaxResume.
	Resume []Resume
	// Tags of publish: a JSON object as it was written, within the bounds that CheckTags has; nil where absent. ParseTags
	// takes it apart.
	Tags []byte
	// TraceParent and TraceState of publish, which are valid; nil where absent. A state without a parent is refused.
	TraceParent, TraceState []byte
	// NoEcho of publish: the client is not to be sent its own message.
	NoEcho bool
	// Data of publish, call and send: one valid JSON value as it was written, without space
	// around it. Nil where absent, which only call allows; null is a value.
	Data []byte

	scratch []byte
}

// Resume is a room to go on with, and where. With the zero Position the room is only joined.
type Resume struct {
	Room     []byte
	Position Position
	// Joined is set if the server had put the connection into the room, rather than the client.
	Joined bool
}

// Decode reads a frame and overwrites all of q. Errors are of type *Error, with CodeBadRequest or
// CodeUnknownOp; q.Op and q.ID then hold what could be read of them, so that the error can be answered,
// and nothing else should be used.
func (q *Request) Decode(frame []byte) error {
	r := reader{scratch: q.scratch}
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
		r.need(fieldRoom, fieldData)
		q.Room = r.text(fieldRoom)
		q.Data = r.fields.get(fieldData)
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
		q.Data = r.fields.get(fieldData)
	case OpSend:
		r.need(fieldData)
		q.Data = r.fields.get(fieldData)
	case OpPing:
	default:
		r.need(fieldOp)
		if r.err == nil {
			r.err = &Error{Code: CodeUnknownOp, Message: `op "` + clip(name, 32) + `" is not known`}
		}
	}
}

// needID complains where there is no answer to match: what the op asks for is in the answer.
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
		entry.need(fieldRoom)
		q.Resume = append(q.Resume, Resume{Room: entry.text(fieldRoom), Position: entry.position(), Joined: entry.flag(fieldJoined)})
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	r.scratch = entry.scratch
	if entry.err != nil {
		r.fail("in resume: %s", entry.err.Message)
	}
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
