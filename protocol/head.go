package protocol

// maxIDSearch is how much of a frame RequestID looks at, in bytes.
const maxIDSearch = 64

// RequestID returns the id of a request without reading all of the frame. The id must end within the first 64 bytes, as it
// does if op and id are the first fields. Otherwise RequestID returns 0.
func RequestID(frame []byte) uint64 {
	var f fields
	f.scanHead(frame[:min(len(frame), maxIDSearch)])
	if id, ok := parseUint(f.get(fieldID)); ok && id <= MaxID {
		return id
	}
	return 0
}

// DecodeHead reads the beginning of a frame that may be cut anywhere, and overwrites all of e. It does not read Data. A
// server writes op, room and position first and data last. A beginning of a few hundred bytes therefore has all of these
// three. DecodeHead reports whether it found the op. Fields that it did not find are zero.
func (e *Event) DecodeHead(head []byte) bool { return e.readHead(head, false) }

func (e *Event) readHead(head []byte, cbor bool) bool {
	r := reader{scratch: e.scratch[:0], cbor: cbor, depth: frameDepth}
	*e = Event{}
	if cbor {
		r.fields.scanCBOR(head) // no value that is cut looks whole
	} else {
		r.fields.scanHead(head)
	}
	r.fields.at[fieldData], r.fields.at[fieldBin] = span{}, span{}
	if e.Op = lookupOp(r.text(fieldOp)); !e.Op.Event() {
		e.Op = OpUnknown
	}
	e.decode(&r)
	e.scratch = r.scratch
	return e.Op != OpUnknown
}

// scanHead keeps the values that end before the end of b. One that ends with it may be cut.
func (f *fields) scanHead(b []byte) {
	f.scan(b, frameDepth)
	for k := range f.at {
		if f.at[k].to == uint32(len(b)) {
			f.at[k] = span{}
		}
	}
}
