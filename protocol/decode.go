package protocol

import (
	"bytes"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxID is the largest id: 2^53-1, the largest integer that every JSON implementation keeps
	// exactly (RFC 7493, section 2.2).
	MaxID = 1<<53 - 1
	// MaxOffset is the largest offset.
	MaxOffset = MaxID
	// MaxResume is the largest number of rooms that a hello may resume.
	MaxResume = 128
	// MaxSession is the longest session that a hello can name, in bytes.
	MaxSession = 128
	// MaxIdempotencyKey is the longest idempotency key, in bytes.
	MaxIdempotencyKey = 128
	// MaxHistory is the largest number of messages that a join may ask for.
	MaxHistory = 1<<31 - 1
	// MaxPage is the largest limit of a history or presence request. A larger one counts as MaxPage.
	MaxPage = 1000
	// DefaultPage is the limit of a history request without one.
	DefaultPage = 100
	// MaxDelay is the longest time in a frame or a hint: 24 hours. A longer one is written and read as
	// MaxDelay.
	MaxDelay = 24 * time.Hour

	// maxScratch is the most memory for unescaped strings that is kept from one frame to the next.
	maxScratch = 4096
)

// reader takes the values of a frame apart. Its first fault stays, and later values are still read.
type reader struct {
	fields  fields
	scratch []byte
	depth   int // of an application's value
	cbor    bool
	err     *Error
}

// open scans the frame. It reports what is wrong with it as a whole.
func (r *reader) open(frame []byte, depth int) {
	if cap(r.scratch) > maxScratch {
		r.scratch = nil
	}
	r.scratch, r.depth = r.scratch[:0], depth
	if r.cbor {
		r.openCBOR(frame)
		return
	}
	switch i, f := r.fields.scan(frame, depth); {
	case f == faultNotObject:
		r.fail("the frame is not a JSON object")
	case f == faultDepth:
		r.fail("nested deeper than %d levels at byte %d", depth, i)
	case f != faultNone:
		r.fail("invalid JSON at byte %d", i)
	case !utf8.Valid(frame):
		r.fail("invalid UTF-8")
	}
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Code: CodeBadRequest, Message: fmt.Sprintf(format, args...)}
	}
}

// has reports whether the field is there. Null counts as absent, except as data.
func (r *reader) has(k field) bool {
	raw := r.fields.get(k)
	if r.cbor {
		return len(raw) > 0 && raw[0] != cborNull
	}
	return len(raw) > 0 && raw[0] != 'n'
}

func (r *reader) text(k field) []byte {
	if !r.has(k) {
		return nil
	}
	raw := r.fields.get(k)
	if !r.isText(raw) {
		r.fail("%s must be a string", fieldNames[k])
		return nil
	}
	if r.cbor {
		return content(raw)
	}
	raw = raw[1 : len(raw)-1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	start := len(r.scratch)
	r.scratch = appendUnescaped(r.scratch, raw)
	return r.scratch[start:len(r.scratch):len(r.scratch)]
}

func (r *reader) integer(k field, most uint64) uint64 {
	if !r.has(k) {
		return 0
	}
	v, ok := r.uint(r.fields.get(k))
	if !ok || v > most {
		r.fail("%s must be an integer from 0 to %d", fieldNames[k], most)
		return 0
	}
	return v
}

// upTo reads an integer; what is above most counts as most.
func (r *reader) upTo(k field, most uint64) uint64 {
	if !r.has(k) {
		return 0
	}
	v, ok := r.uint(r.fields.get(k))
	if !ok {
		r.fail("%s must be an integer of at least 0", fieldNames[k])
		return 0
	}
	return min(v, most)
}

// delay reads a time in milliseconds.
func (r *reader) delay(k field) time.Duration {
	return time.Duration(r.upTo(k, uint64(MaxDelay/time.Millisecond))) * time.Millisecond
}

func (r *reader) flag(k field) bool {
	if !r.has(k) {
		return false
	}
	yes, no := byte('t'), byte('f')
	if r.cbor {
		yes, no = cborTrue, cborFalse
	}
	switch r.fields.get(k)[0] {
	case yes:
		return true
	case no:
	default:
		r.fail("%s must be true or false", fieldNames[k])
	}
	return false
}

// value returns a JSON value of the application as it was written, and nil if it is absent.
func (r *reader) value(k field) []byte {
	raw := r.fields.get(k)
	if r.cbor && raw != nil {
		return r.embedded(fieldNames[k], raw)
	}
	return raw
}

func (r *reader) isText(raw []byte) bool {
	if r.cbor {
		return isCBOR(raw, cborText)
	}
	return raw[0] == '"'
}

func (r *reader) isObject(raw []byte) bool {
	if r.cbor {
		return isCBOR(raw, cborMap)
	}
	return raw[0] == '{'
}

func (r *reader) uint(raw []byte) (uint64, bool) {
	if r.cbor {
		return cborUintOf(raw)
	}
	return parseUint(raw)
}

// each calls f for each field of an object. name is as it was written, and value with what it begins with.
func (r *reader) each(object []byte, f func(name, value []byte)) {
	if r.cbor {
		eachCBOR(object, f)
		return
	}
	eachField(object, f)
}

func (r *reader) position() Position {
	p := Position{Epoch: r.text(fieldEpoch), Offset: r.integer(fieldOffset, MaxOffset)}
	if len(p.Epoch) > 0 {
		return p
	}
	if p.Offset > 0 {
		r.fail("offset without epoch")
	}
	return Position{}
}

// need complains where a field is absent.
func (r *reader) need(keys ...field) {
	for _, k := range keys {
		if !r.has(k) && (k != fieldData || r.fields.get(k) == nil) {
			r.fail("%s is missing", fieldNames[k])
		}
	}
}

// parseUint reads a number that has neither sign nor fraction nor exponent. What overflows is the
// largest uint64.
func parseUint(raw []byte) (uint64, bool) {
	var v uint64
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		if v > (1<<64-10)/10 {
			v = 1<<64 - 1
			continue
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

// ValidSession reports whether a server accepts the session of a hello: 1 to MaxSession bytes without control characters. A
// server ignores any other session. The welcome then names the one that the connection has.
func ValidSession(session []byte) bool {
	return len(session) > 0 && len(session) <= MaxSession && !bytes.ContainsFunc(session, unicode.IsControl)
}
