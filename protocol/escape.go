package protocol

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// appendString appends s as a JSON string. Only what RFC 8259 demands is escaped; bytes that are not
// UTF-8 become U+FFFD.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			// Four bytes are enough for a rune, and so short a conversion does not allocate.
			r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = utf8.AppendRune(dst, r)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			start = i + 1
		}
		i++
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// The functions below append a comma, a key and a value, and nothing if the value says that it is
// absent.

func appendUintField(dst []byte, key string, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, key...), v, 10)
}

func appendTextField[T string | []byte](dst []byte, key string, s T) []byte {
	if len(s) == 0 {
		return dst
	}
	return appendString(append(dst, key...), s)
}

func appendPosition[T string | []byte](dst []byte, epoch T, offset uint64) []byte {
	if len(epoch) == 0 {
		return dst
	}
	dst = appendString(append(dst, `,"epoch":`...), epoch)
	return strconv.AppendUint(append(dst, `,"offset":`...), offset, 10)
}

func appendDataField(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	return append(append(dst, `,"data":`...), data...)
}

// appendFlag appends a field that is there only if it is true.
func appendFlag(dst []byte, field string, set bool) []byte {
	if !set {
		return dst
	}
	return append(dst, field...)
}

// appendDelay rounds up, so that nobody comes early, and keeps to 0 and MaxDelay.
func appendDelay(dst []byte, key string, d time.Duration) []byte {
	d = min(max(d, 0), MaxDelay)
	return appendUintField(dst, key, uint64((d+time.Millisecond-1)/time.Millisecond))
}
