package frame

import (
	"bytes"
	"compress/flate"
	"sync"
)

// Deflater compresses messages for permessage-deflate with no context takeover (RFC 7692, section
// 7.2.1), so that one result serves every receiver. It may be used by several goroutines.
type Deflater struct {
	pool sync.Pool // of *deflateState
}

type deflateState struct {
	w   *flate.Writer
	buf bytes.Buffer
}

// NewDeflater takes a level of compress/flate.
func NewDeflater(level int) (*Deflater, error) {
	if _, err := flate.NewWriter(nil, level); err != nil {
		return nil, err
	}
	d := new(Deflater)
	d.pool.New = func() any {
		s := new(deflateState)
		s.w, _ = flate.NewWriter(&s.buf, level) // the level was checked above
		return s
	}
	return d, nil
}

// Append appends payload as one compressed frame.
func (d *Deflater) Append(dst []byte, opcode byte, payload []byte) []byte {
	s := d.pool.Get().(*deflateState)
	defer d.pool.Put(s)
	s.buf.Reset()
	s.w.Reset(&s.buf)
	// Writes into a bytes.Buffer do not fail.
	_, _ = s.w.Write(payload)
	_ = s.w.Flush()
	// A flush ends in an empty stored block, 00 00 ff ff, which the RFC takes off the message.
	out := s.buf.Bytes()
	out = out[:len(out)-4]
	return append(appendHeader(dst, fin|rsv1|opcode, len(out)), out...)
}
