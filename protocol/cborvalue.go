package protocol

import "math"

// The values of a frame in CBOR are items that the scan has found to be in order.

// DecodeCBOR is Decode for a frame in CBOR, as in SubprotocolCBOR.
func (q *Request) DecodeCBOR(frame []byte) error { return q.read(frame, true) }

// DecodeCBOR is Decode for a frame in CBOR, as in SubprotocolCBOR. It converts From and Tags to JSON.
func (e *Event) DecodeCBOR(frame []byte) error { return e.read(frame, true) }

// DecodeHeadCBOR is DecodeHead for a frame in CBOR.
func (e *Event) DecodeHeadCBOR(head []byte) bool { return e.readHead(head, true) }

// RequestIDCBOR is RequestID for a frame in CBOR.
func RequestIDCBOR(frame []byte) uint64 {
	r := reader{cbor: true}
	r.fields.scanCBOR(frame[:min(len(frame), maxIDSearch)])
	if raw := r.fields.get(fieldID); raw != nil {
		if id, ok := r.uint(raw); ok && id <= MaxID {
			return id
		}
	}
	return 0
}

// openCBOR is open of a frame in CBOR.
func (r *reader) openCBOR(frame []byte) {
	if i, f := r.fields.scanCBOR(frame); f != faultNone {
		r.fail("CBOR: %s, at byte %d", cborFaults[f], i)
	}
}

func isCBOR(item []byte, major byte) bool { return item[0]>>5 == major }

// content is what a string holds.
func content(item []byte) []byte {
	_, i, _ := readHead(item, 0)
	return item[i:len(item):len(item)]
}

// cborUintOf reads an unsigned integer.
func cborUintOf(item []byte) (uint64, bool) {
	h, _, _ := readHead(item, 0)
	return h.n, h.major == cborUint
}

// cborFloatOf reads a number.
func cborFloatOf(item []byte) (float64, bool) {
	h, _, _ := readHead(item, 0)
	var v float64
	switch {
	case h.major == cborUint:
		v = float64(h.n)
	case item[0] == cborHalf:
		v = halfOf(uint16(h.n))
	case item[0] == cborFloat:
		v = float64(math.Float32frombits(uint32(h.n)))
	case item[0] == cborLong:
		v = math.Float64frombits(h.n)
	default:
		return 0, false
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// halfOf is the value of a half-precision float (RFC 8949, appendix D).
func halfOf(bits uint16) float64 {
	exp, mant := int(bits>>10&0x1f), float64(bits&0x3ff)
	var v float64
	switch exp {
	case 0:
		v = math.Ldexp(mant, -24)
	case 31:
		v = math.Inf(1)
		if mant != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(mant+1024, exp-25)
	}
	if bits>>15 != 0 {
		return -v
	}
	return v
}

// embedded returns the JSON value that a text string holds, without space around it.
func (r *reader) embedded(name string, item []byte) []byte {
	switch {
	case item[0] == cborNull:
		r.fail("%s is null: the JSON value is the text \"null\"", name)
	case isCBOR(item, cborBytes):
		r.fail("%s must be JSON", name)
	case !isCBOR(item, cborText):
		r.fail("%s is not a string that holds a JSON value", name)
	default:
		text := content(item)
		start := skipSpace(text, 0)
		end, f := skipValue(text, start, r.depth)
		if f != faultNone || skipSpace(text, end) != len(text) {
			r.fail("%s is not JSON", name)
			return nil
		}
		return text[start:end:end]
	}
	return nil
}

// eachCBOR is eachField of a map.
func eachCBOR(item []byte, f func(name, value []byte)) {
	h, i, _ := readHead(item, 0)
	for range h.n {
		end, _ := skipItem(item, i, cborDepth)
		name := content(item[i:end])
		i, _ = skipItem(item, end, 0)
		f(name, item[end:i])
	}
}

// quotedLen is how long a string is that appendString appends.
func quotedLen(s []byte) int {
	n := len(`""`) + len(s)
	for _, c := range s {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < ' ':
			n += len(`\u0000`) - 1
		}
	}
	return n
}

// grow makes place for the fields of a map of strings, so that memory is taken once. What it is not enough for is found later.
func (r *reader) grow(item []byte) {
	n := len(`{}`)
	eachCBOR(item, func(name, value []byte) {
		if isCBOR(value, cborText) {
			n += quotedLen(name) + len(`:,`) + quotedLen(content(value))
		}
	})
	if need := len(r.scratch) + n; need > cap(r.scratch) {
		r.scratch = append(make([]byte, 0, need), r.scratch...)
	}
}

// tagsOf writes tags that are in order as JSON.
func (r *reader) tagsOf(item []byte) []byte {
	return r.written(item, func(dst []byte) []byte {
		eachCBOR(item, func(name, value []byte) {
			dst = append(appendString(append(dst, ','), name), ':')
			dst = appendString(dst, content(value))
		})
		return dst
	})
}

// publisherOf writes a publisher as JSON.
func (r *reader) publisherOf(item []byte) []byte {
	return r.written(item, func(dst []byte) []byte {
		eachCBOR(item, func(name, value []byte) {
			switch string(name) {
			case "conn", "user":
				if !isCBOR(value, cborText) {
					r.fail("%s must be a string", name)
					return
				}
				dst = append(appendString(append(dst, ','), name), ':')
				dst = appendString(dst, content(value))
			case "info":
				dst = append(append(dst, `,"info":`...), r.embedded("info", value)...)
			}
		})
		return dst
	})
}

// written returns an object of the fields of item that write appends, in memory of the frame's owner.
func (r *reader) written(item []byte, write func(dst []byte) []byte) []byte {
	r.grow(item)
	start := len(r.scratch)
	r.scratch = write(r.scratch)
	if r.err != nil {
		r.scratch = r.scratch[:start]
		return nil
	}
	r.scratch = appendBraces(r.scratch, start)
	return r.scratch[start:len(r.scratch):len(r.scratch)]
}

// resumeCBOR reads an array of maps.
func (q *Request) resumeCBOR(r *reader, item []byte) {
	if !isCBOR(item, cborArray) {
		r.fail("resume must be an array")
		return
	}
	h, i, _ := readHead(item, 0)
	if h.n > MaxResume {
		r.fail("resume has more than %d rooms", MaxResume)
		return
	}
	entry := reader{cbor: true}
	for range h.n {
		end, _ := skipItem(item, i, 0)
		entry.fields = fields{}
		if _, f := entry.fields.scanCBOR(item[i:end]); f != faultNone {
			r.fail("resume must hold maps")
			return
		}
		q.addResume(&entry)
		i = end
	}
	if entry.err != nil {
		r.fail("in resume: %s", entry.err.Message)
	}
}
