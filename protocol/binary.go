package protocol

import "encoding/base64"

// SubprotocolCBOR is the WebSocket subprotocol with the same frames in CBOR (RFC 8949), as binary messages.
const SubprotocolCBOR = "hubkit.v1.cbor"

// AppendBinary is AppendMessageWith for a binary payload. The frame has bin in place of data.
func AppendBinary(dst []byte, room string, data []byte, epoch string, offset uint64, m *Meta) []byte {
	dst = append(dst, `{"op":"message"`...)
	dst = appendTextField(dst, `,"room":`, room)
	dst = appendPosition(dst, epoch, offset)
	dst = appendMeta(dst, m)
	return append(appendBinField(dst, data), '}')
}

func appendBinField(dst, data []byte) []byte {
	dst = append(dst, `,"bin":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, data), '"')
}

// appendPayload appends what publish and send carry.
func appendPayload(dst, data []byte, binary bool) []byte {
	if binary {
		return appendBinField(dst, data)
	}
	return appendDataField(dst, orNull(data))
}

// payload reads data, or bin in its place.
func (r *reader) payload() (data []byte, binary bool) {
	if r.cbor {
		return r.payloadCBOR()
	}
	if !r.has(fieldBin) {
		return r.fields.get(fieldData), false
	}
	if r.fields.get(fieldData) != nil {
		r.fail("data and bin exclude each other")
		return nil, false
	}
	text := r.text(fieldBin)
	start := len(r.scratch)
	var err error
	if r.scratch, err = base64.StdEncoding.Strict().AppendDecode(r.scratch, text); err != nil {
		r.scratch = r.scratch[:start]
		r.fail("bin must be base64")
		return nil, false
	}
	data = r.scratch[start:len(r.scratch):len(r.scratch)]
	if data == nil {
		data = []byte{}
	}
	return data, true
}

func (r *reader) payloadCBOR() (data []byte, binary bool) {
	raw := r.fields.get(fieldData)
	switch {
	case r.has(fieldBin):
		r.fail("bin is for JSON: data may be a byte string")
		return nil, false
	case raw != nil && isCBOR(raw, cborBytes):
		return content(raw), true
	}
	return r.value(fieldData), false
}

// needPayload complains if there is neither data nor bin.
func (r *reader) needPayload() {
	if !r.has(fieldBin) {
		r.need(fieldData)
	}
}
