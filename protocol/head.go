package protocol

// maxIDSearch is how much of a frame RequestID looks at, in bytes.
const maxIDSearch = 64

// RequestID returns the id of a request without reading all of it: an id that ends within the first 64 bytes, as it does if
// op and id are the first fields. It returns 0 if there is none.
func RequestID(frame []byte) uint64 {
	var f fields
	f.scanHead(frame[:min(len(frame), maxIDSearch)])
	if id, ok := parseUint(f.get(fieldID)); ok && id <= MaxID {
		return id
	}
	return 0
}

// DecodeHead reads the beginning of a frame that is cut anywhere, and overwrites all of e. It does not read Data. A server
// writes op, room and position first and data last, so that a beginning of a few hundred bytes has what there is of those three. DecodeHead reports whether it found the
// op; fields that it did not find are left zero.
func (e *Event) DecodeHead(head []byte) bool {
	r := reader{scratch: e.scratch[:0]}
	*e = Event{}
	r.fields.scanHead(head)
	r.fields.at[fieldData] = span{}
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
