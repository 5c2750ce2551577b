package protocol

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// A field is a key this version knows.
type field uint8

const (
	fieldNone field = iota
	fieldOp
	fieldID
	fieldRoom
	fieldData
	fieldBin
	fieldEpoch
	fieldOffset
	fieldHistory
	fieldKey
	fieldMethod
	fieldToken
	fieldSession
	fieldResume
	fieldConn
	fieldNode
	fieldPing
	fieldTicket
	fieldCode
	fieldMessage
	fieldRetryAfter
	fieldSpread
	fieldReason
	fieldLimits
	fieldLimit
	fieldReverse
	fieldCounting
	fieldAfter
	fieldJoined
	fieldReadOnly
	fieldExpires
	fieldFrom
	fieldTime
	fieldTags
	fieldTraceParent
	fieldTraceState
	fieldEcho
	fieldCount
)

var fieldNames = [fieldCount]string{
	fieldOp:          "op",
	fieldID:          "id",
	fieldRoom:        "room",
	fieldData:        "data",
	fieldBin:         "bin",
	fieldEpoch:       "epoch",
	fieldOffset:      "offset",
	fieldHistory:     "history",
	fieldKey:         "key",
	fieldMethod:      "method",
	fieldToken:       "token",
	fieldSession:     "session",
	fieldResume:      "resume",
	fieldConn:        "conn",
	fieldNode:        "node",
	fieldPing:        "ping_ms",
	fieldTicket:      "ticket",
	fieldCode:        "code",
	fieldMessage:     "message",
	fieldRetryAfter:  "retry_after_ms",
	fieldSpread:      "spread_ms",
	fieldReason:      "reason",
	fieldLimits:      "limits",
	fieldLimit:       "limit",
	fieldReverse:     "reverse",
	fieldCounting:    "count",
	fieldAfter:       "after",
	fieldJoined:      "joined",
	fieldReadOnly:    "read_only",
	fieldExpires:     "expires_ms",
	fieldFrom:        "from",
	fieldTime:        "time",
	fieldTags:        "tags",
	fieldTraceParent: "traceparent",
	fieldTraceState:  "tracestate",
	fieldEcho:        "echo",
}

// lookupField is a switch because the compiler turns it into comparisons that allocate nothing.
func lookupField(name []byte) field {
	switch string(name) {
	case "op":
		return fieldOp
	case "id":
		return fieldID
	case "room":
		return fieldRoom
	case "data":
		return fieldData
	case "bin":
		return fieldBin
	case "epoch":
		return fieldEpoch
	case "offset":
		return fieldOffset
	case "history":
		return fieldHistory
	case "key":
		return fieldKey
	case "method":
		return fieldMethod
	case "token":
		return fieldToken
	case "session":
		return fieldSession
	case "resume":
		return fieldResume
	case "conn":
		return fieldConn
	case "node":
		return fieldNode
	case "ping_ms":
		return fieldPing
	case "ticket":
		return fieldTicket
	case "code":
		return fieldCode
	case "message":
		return fieldMessage
	case "retry_after_ms":
		return fieldRetryAfter
	case "spread_ms":
		return fieldSpread
	case "reason":
		return fieldReason
	case "limits":
		return fieldLimits
	case "limit":
		return fieldLimit
	case "reverse":
		return fieldReverse
	case "count":
		return fieldCounting
	case "after":
		return fieldAfter
	case "joined":
		return fieldJoined
	case "read_only":
		return fieldReadOnly
	case "expires_ms":
		return fieldExpires
	case "from":
		return fieldFrom
	case "time":
		return fieldTime
	case "tags":
		return fieldTags
	case "traceparent":
		return fieldTraceParent
	case "tracestate":
		return fieldTraceState
	case "echo":
		return fieldEcho
	}
	return fieldNone
}

// fields holds where the values of one object are, as they were written. A key that comes twice has the last value. Values
// are taken apart only when the op is known, so that a field which does not belong to the op can hold anything.
//
// It is cleared for every frame, so it keeps places and no slices. A frame has less than 4 GiB.
type fields struct {
	object []byte
	at     [fieldCount]span
}

// span is where a value is. Its end is zero if there is none.
type span struct{ from, to uint32 }

// get returns a value as it was written, and nil if it is absent.
func (f *fields) get(k field) []byte {
	s := f.at[k]
	if s.to == 0 {
		return nil
	}
	return f.object[s.from:s.to:s.to]
}

// scan reads b, which must be one object, and returns the index and the kind of the first fault. What
// was read before the fault is kept.
func (f *fields) scan(b []byte, depth int) (int, fault) {
	f.object = b
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return i, faultNotObject
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return scanEnd(b, i+1)
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return i, faultSyntax
		}
		key := i
		var ok bool
		if i, ok = skipString(b, i); !ok {
			return i, faultSyntax
		}
		name := b[key+1 : i-1]
		if i, ok = skipColon(b, i); !ok {
			return i, faultSyntax
		}
		value := i
		var flt fault
		if i, flt = skipValue(b, i, depth); flt != faultNone {
			return i, flt
		}
		if k := nameField(name); k != fieldNone {
			f.at[k] = span{uint32(value), uint32(i)}
		}
		i = skipSpace(b, i)
		switch {
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		case i < len(b) && b[i] == '}':
			return scanEnd(b, i+1)
		default:
			return i, faultSyntax
		}
	}
}

func scanEnd(b []byte, i int) (int, fault) {
	if i = skipSpace(b, i); i < len(b) {
		return i, faultSyntax
	}
	return i, faultNone
}

// nameField looks up a key as it was written, which may be with escapes.
func nameField(raw []byte) field {
	if bytes.IndexByte(raw, '\\') < 0 {
		return lookupField(raw)
	}
	return lookupField(appendUnescaped(nil, raw))
}

// appendUnescaped appends what a string means that was checked by skipString. A surrogate without
// its other half becomes U+FFFD, as in encoding/json.
func appendUnescaped(dst, s []byte) []byte {
	for len(s) > 0 {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			var r rune
			r, s = unescapeRune(s)
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// unescapeRune reads what follows \u, and a second escape where it completes a surrogate pair.
func unescapeRune(s []byte) (rune, []byte) {
	r, _ := hex4(s)
	s = s[4:]
	if !utf16.IsSurrogate(r) {
		return r, s
	}
	if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
		if low, ok := hex4(s[2:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, s[6:]
			}
		}
	}
	return utf8.RuneError, s
}
