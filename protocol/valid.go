package protocol

import "unicode/utf8"

// MaxDepth is the deepest nesting of arrays and objects in a value that a client sends.
const MaxDepth = 64

// frameDepth is how deep a value in a frame from the server may be nested: an application's value
// of MaxDepth inside {"members":[{"info":…}]}.
const frameDepth = MaxDepth + 3

// Valid reports whether data is one JSON value (RFC 8259) in valid UTF-8, nested no deeper than MaxDepth. White space
// around it is allowed. Valid does not allocate.
func Valid(data []byte) bool {
	i, f := skipValue(data, skipSpace(data, 0), MaxDepth)
	return f == faultNone && skipSpace(data, i) == len(data) && utf8.Valid(data)
}

// A fault is what is wrong with a text that should be JSON, or with a frame that should be CBOR.
type fault uint8

const (
	faultNone fault = iota
	faultSyntax
	faultDepth
	faultNotObject

	// These are of CBOR alone.
	faultShort
	faultHead
	faultType
	faultText
	faultKey
	faultTwice
	faultFields
	faultRest
)

// nesting remembers of each open array or object which of the two it is, in a bit each: a stack that
// costs no memory and cannot be overrun by a hostile frame.
type nesting struct {
	objects [2]uint64
	depth   int
}

func (n *nesting) push(object bool) {
	word, bit := n.depth>>6, uint64(1)<<(n.depth&63)
	if object {
		n.objects[word] |= bit
	} else {
		n.objects[word] &^= bit
	}
	n.depth++
}

func (n *nesting) pop() { n.depth-- }

func (n *nesting) inObject() bool {
	top := n.depth - 1
	return n.objects[top>>6]>>(top&63)&1 != 0
}

// skipValue returns the index after the value that starts at i, or the index of the fault. It does
// not look at UTF-8: outside of strings other than ASCII is a fault anyway, and utf8.Valid over the
// whole text is faster.
func skipValue(b []byte, i, limit int) (int, fault) {
	var open nesting
	for {
		if i >= len(b) {
			return i, faultSyntax
		}
		ok := true
		switch c := b[i]; c {
		case '"':
			i, ok = skipString(b, i)
		case '{', '[':
			if open.depth == limit {
				return i, faultDepth
			}
			open.push(c == '{')
			i = skipSpace(b, i+1)
			if i < len(b) && b[i] == c+2 { // in ASCII '}' is '{'+2, and ']' is '['+2
				open.pop()
				i++
				break
			}
			if c == '{' {
				if i, ok = skipKey(b, i); !ok {
					return i, faultSyntax
				}
			}
			continue
		case 't':
			i, ok = skipWord(b, i, "true")
		case 'f':
			i, ok = skipWord(b, i, "false")
		case 'n':
			i, ok = skipWord(b, i, "null")
		default:
			i, ok = skipNumber(b, i)
		}
		if !ok {
			return i, faultSyntax
		}
		if i, ok = skipToNext(b, i, &open); !ok {
			return i, faultSyntax
		}
		if open.depth == 0 {
			return i, faultNone
		}
	}
}

// skipToNext closes what ends after a value and goes to where the next value starts; when nothing
// is open any more there is none.
func skipToNext(b []byte, i int, open *nesting) (int, bool) {
	for open.depth > 0 {
		i = skipSpace(b, i)
		if i >= len(b) {
			return i, false
		}
		object := open.inObject()
		switch c := b[i]; {
		case c == ',' && object:
			return skipKey(b, skipSpace(b, i+1))
		case c == ',':
			return skipSpace(b, i+1), true
		case c == '}' && object, c == ']' && !object:
			open.pop()
			i++
		default:
			return i, false
		}
	}
	return i, true
}

// skipKey goes from a key to the value that belongs to it.
func skipKey(b []byte, i int) (int, bool) {
	if i >= len(b) || b[i] != '"' {
		return i, false
	}
	i, ok := skipString(b, i)
	if !ok {
		return i, false
	}
	return skipColon(b, i)
}

func skipColon(b []byte, i int) (int, bool) {
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return i, false
	}
	return skipSpace(b, i+1), true
}
