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

// AppendBlocks appends p as blocks of a DEFLATE stream (RFC 1951) that need nothing of those before them. They end at a byte's
// end, so that others may follow.
func (d *Deflater) AppendBlocks(dst, p []byte) []byte {
	s := d.compress(p)
	defer d.pool.Put(s)
	return append(dst, s.buf.Bytes()...)
}

// compress returns a state that holds p compressed and flushed.
func (d *Deflater) compress(p []byte) *deflateState {
	s := d.pool.Get().(*deflateState) //nolint:forcetypeassert // the pool's only type
	s.buf.Reset()
	s.w.Reset(&s.buf)
	// Writes into a bytes.Buffer do not fail.
	_, _ = s.w.Write(p)
	_ = s.w.Flush()
	return s
}

// Append appends payload as one compressed frame.
func (d *Deflater) Append(dst []byte, opcode byte, payload []byte) []byte {
	s := d.compress(payload)
	defer d.pool.Put(s)
	// A flush ends in an empty stored block, 00 00 ff ff, which the RFC takes off the message.
	out := s.buf.Bytes()
	out = out[:len(out)-4]
	return append(appendHeader(dst, fin|rsv1|opcode, len(out)), out...)
}
