package protocol

import "bytes"

const (
	// MaxTraceParent is the longest traceparent, in bytes. One of version 00 has 55; later versions may be longer.
	MaxTraceParent = 128
	// MaxTraceState is the longest tracestate, in bytes.
	MaxTraceState = 512

	maxTraceMembers = 32
)

// ValidTraceParent reports whether s is a traceparent of W3C Trace Context (https://www.w3.org/TR/trace-context/). It has a
// version, a trace ID, a parent ID and flags in lower-case hexadecimal digits. Neither ID is zero. A later version may have
// more fields after these.
func ValidTraceParent[T string | []byte](s T) bool {
	const version, trace, parent, flags, size = 0, 3, 36, 53, 55
	if len(s) < size || len(s) > MaxTraceParent || s[trace-1] != '-' || s[parent-1] != '-' || s[flags-1] != '-' {
		return false
	}
	if !hexDigits(s[version:trace-1]) || !hexDigits(s[trace:parent-1]) || !hexDigits(s[parent:flags-1]) || !hexDigits(s[flags:size]) {
		return false
	}
	if allZero(s[trace:parent-1]) || allZero(s[parent:flags-1]) {
		return false
	}
	switch {
	case s[0] == 'f' && s[1] == 'f':
		return false
	case s[0] == '0' && s[1] == '0' || len(s) == size:
		return len(s) == size
	}
	for i := size; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s[size] == '-'
}

func hexDigits[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func allZero[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}

// ValidTraceState reports whether s is a tracestate of W3C Trace Context, of at most MaxTraceState bytes. It has at most 32
// members, separated by commas. A member is a key, an equals sign and a value. Members may be empty.
func ValidTraceState[T string | []byte](s T) bool {
	if len(s) > MaxTraceState {
		return false
	}
	rest, members := []byte(s), 0
	for more := true; more; {
		var member []byte
		member, rest, more = bytes.Cut(rest, []byte(","))
		if member = bytes.Trim(member, " \t"); len(member) == 0 {
			continue
		}
		key, value, ok := bytes.Cut(member, []byte("="))
		if members++; !ok || members > maxTraceMembers || !validTraceKey(key) || !validTraceValue(value) {
			return false
		}
	}
	return true
}

func validTraceKey(key []byte) bool {
	if len(key) == 0 || len(key) > 256 || !isLower(key[0]) && !isDigit(key[0]) {
		return false
	}
	for _, c := range key {
		if !isLower(c) && !isDigit(c) && bytes.IndexByte([]byte("_-*/@"), c) < 0 {
			return false
		}
	}
	return true
}

func validTraceValue(value []byte) bool {
	if len(value) == 0 || len(value) > 256 {
		return false
	}
	for _, c := range value {
		if c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
