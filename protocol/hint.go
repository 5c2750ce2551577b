package protocol

import (
	"time"
	"unicode/utf8"
)

// MaxReason is the longest reason of a close frame, in bytes (RFC 6455, section 5.5: 125 bytes, minus
// two for the code).
const MaxReason = 123

// Hint is a retry hint: the client reconnects after RetryAfter and a random part of Spread. It is the reason of a
// close frame and the content of a goaway frame.
type Hint struct {
	// RetryAfter and Spread are written in milliseconds, rounded up.
	RetryAfter, Spread time.Duration
	// Reason explains the hint to a developer.
	Reason string
}

// AppendHint appends h as the reason of a close frame: JSON of at most MaxReason bytes, or nothing if
// h is zero. A time below zero is written as zero, and one above MaxDelay as MaxDelay. A reason that
// does not fit is cut between two characters.
func AppendHint(dst []byte, h Hint) []byte {
	start := len(dst)
	dst = appendDelay(dst, `,"retry_after_ms":`, h.RetryAfter)
	dst = appendDelay(dst, `,"spread_ms":`, h.Spread)
	if h.Reason != "" {
		dst = append(dst, `,"reason":"`...)
		dst = appendClipped(dst, h.Reason, start+MaxReason-len(`"}`))
		dst = append(dst, '"')
	}
	if len(dst) == start {
		return dst
	}
	dst[start] = '{' // where the first comma was
	return append(dst, '}')
}

// appendClipped appends the inside of a JSON string, as much of it as leaves dst at most end bytes long.
func appendClipped(dst []byte, s string, end int) []byte {
	for _, r := range s {
		fits := len(dst)
		if r < utf8.RuneSelf && (r < ' ' || r == '"' || r == '\\') {
			dst = appendEscape(dst, byte(r))
		} else {
			dst = utf8.AppendRune(dst, r)
		}
		if len(dst) > end {
			return dst[:fits]
		}
	}
	return dst
}

// ParseHint reads the reason of a close frame. ok is false, and the hint is zero, in these cases:
//
//   - the reason is not a JSON object;
//   - it is longer than MaxReason;
//   - a field has the wrong type, or a negative or broken number.
//
// Times above MaxDelay are read as MaxDelay. Unknown fields are ignored.
func ParseHint(reason string) (h Hint, ok bool) {
	if len(reason) > MaxReason {
		return Hint{}, false
	}
	var r reader
	r.open([]byte(reason), MaxDepth)
	h = Hint{
		RetryAfter: r.delay(fieldRetryAfter),
		Spread:     r.delay(fieldSpread),
		Reason:     string(r.text(fieldReason)),
	}
	if r.err != nil {
		return Hint{}, false
	}
	return h, true
}
