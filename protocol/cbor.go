package protocol

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

const (
	// cborDepth is how deep maps and arrays of a frame may be nested. The deepest frame has an array of maps in its map.
	cborDepth = 4
	// cborFields is how many fields a map may have.
	cborFields = 64
)

// Major types of RFC 8949, section 3.1, and those of the simple values that frames have.
const (
	cborUint   = 0
	cborNegInt = 1
	cborBytes  = 2
	cborText   = 3
	cborArray  = 4
	cborMap    = 5
	cborSimple = 7

	cborFalse = cborSimple<<5 | 20
	cborTrue  = cborSimple<<5 | 21
	cborNull  = cborSimple<<5 | 22
	cborHalf  = cborSimple<<5 | 25
	cborFloat = cborSimple<<5 | 26
	cborLong  = cborSimple<<5 | 27
)

// cborFaults says what is wrong with a frame in CBOR.
var cborFaults = map[fault]string{
	faultNotObject: "the frame is not a map",
	faultDepth:     "too deeply nested",
	faultShort:     "the frame ends too early",
	faultHead:      "indefinite length or reserved head",
	faultType:      "an item of this type has no meaning here",
	faultText:      "text is not UTF-8",
	faultKey:       "a key is not text",
	faultTwice:     "a key comes twice",
	faultFields:    "a map has too many fields",
	faultRest:      "bytes follow the map",
}

// cborHead is the head of an item: its major type, the lower bits of its first byte, and its argument.
type cborHead struct {
	major, low byte
	n          uint64
}

// readHead reads the head of the item at i.
func readHead(b []byte, i int) (h cborHead, next int, f fault) {
	if i >= len(b) {
		return h, i, faultShort
	}
	h = cborHead{major: b[i] >> 5, low: b[i] & 0x1f}
	rest := b[i+1:]
	size := 0
	switch {
	case h.low < 24:
		h.n = uint64(h.low)
	case h.low > 27:
		return h, i, faultHead
	default:
		if size = 1 << (h.low - 24); len(rest) < size {
			return h, i, faultShort
		}
		switch size {
		case 1:
			h.n = uint64(rest[0])
		case 2:
			h.n = uint64(binary.BigEndian.Uint16(rest))
		case 4:
			h.n = uint64(binary.BigEndian.Uint32(rest))
		case 8:
			h.n = binary.BigEndian.Uint64(rest)
		}
	}
	return h, i + 1 + size, faultNone
}

// skipItem returns the index after the item at i, or the index of the fault. depth is how many maps and arrays are open.
func skipItem(b []byte, i, depth int) (int, fault) {
	h, next, f := readHead(b, i)
	if f != faultNone {
		return next, f
	}
	switch h.major {
	case cborUint, cborNegInt:
	case cborText:
		return skipBytes(b, next, h)
	case cborArray, cborMap:
		switch {
		case depth == cborDepth:
			return i, faultDepth
		case h.n > uint64(len(b)-next): // each item has at least one byte
			return i, faultShort
		case h.major == cborMap:
			return skipFields(b, next, h, depth+1)
		}
		for range h.n {
			if next, f = skipItem(b, next, depth+1); f != faultNone {
				break
			}
		}
		return next, f
	default:
		switch b[i] {
		case cborFalse, cborTrue, cborNull, cborHalf, cborFloat, cborLong:
		default: // byte strings, tags, other simple values
			return i, faultType
		}
	}
	return next, faultNone
}

// skipBytes goes behind the content, at i, of a string.
func skipBytes(b []byte, i int, h cborHead) (int, fault) {
	if h.n > uint64(len(b)-i) {
		return i, faultShort
	}
	end := i + int(h.n)
	if h.major == cborText && !utf8.Valid(b[i:end]) {
		return i, faultText
	}
	return end, faultNone
}

func skipFields(b []byte, i int, h cborHead, depth int) (int, fault) {
	if h.n > cborFields {
		return i, faultFields
	}
	var seen cborKeys
	f := faultNone
	for range h.n {
		if _, i, f = seen.next(b, i); f != faultNone {
			break
		}
		if i, f = skipItem(b, i, depth); f != faultNone {
			break
		}
	}
	return i, f
}

// cborKeys are those that a map has had so far.
type cborKeys struct {
	at [cborFields]span
	n  int
}

// next reads the key at i.
func (k *cborKeys) next(b []byte, i int) (name []byte, next int, f fault) {
	h, start, f := readHead(b, i)
	if f != faultNone {
		return nil, start, f
	}
	if h.major != cborText {
		return nil, i, faultKey
	}
	if next, f = skipBytes(b, start, h); f != faultNone {
		return nil, next, f
	}
	name = b[start:next]
	for _, s := range k.at[:k.n] {
		if bytes.Equal(b[s.from:s.to], name) {
			return nil, i, faultTwice
		}
	}
	k.at[k.n] = span{uint32(start), uint32(next)}
	k.n++
	return name, next, faultNone
}

// scanCBOR is scan for a map in CBOR. The values are items as they were written, with their heads.
func (f *fields) scanCBOR(b []byte) (int, fault) {
	f.object = b
	if len(b) == 0 || b[0]>>5 != cborMap {
		return 0, faultNotObject
	}
	h, i, flt := readHead(b, 0)
	switch {
	case flt != faultNone:
		return i, flt
	case h.n > uint64(len(b)-i):
		return i, faultShort
	case h.n > cborFields:
		return i, faultFields
	}
	var seen cborKeys
	for range h.n {
		var name []byte
		if name, i, flt = seen.next(b, i); flt != faultNone {
			return i, flt
		}
		k, value := lookupField(name), i
		if i, flt = skipField(b, i, k); flt != faultNone {
			return i, flt
		}
		if k != fieldNone {
			f.at[k] = span{uint32(value), uint32(i)}
		}
	}
	if i < len(b) {
		return i, faultRest
	}
	return i, faultNone
}

// skipField goes behind the value of a frame's field. Only data may be a byte string.
func skipField(b []byte, i int, k field) (int, fault) {
	if k != fieldData || i >= len(b) || b[i]>>5 != cborBytes {
		return skipItem(b, i, 1)
	}
	h, i, f := readHead(b, i)
	if f != faultNone {
		return i, f
	}
	return skipBytes(b, i, h)
}
