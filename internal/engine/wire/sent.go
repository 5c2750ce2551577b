package wire

import "sync/atomic"

// stripes are how many parts a Sent has, and stripe how many neighboring descriptors share one: members of a room that came one
// after the other are in the same chunk, and a worker that writes to them stays in one part.
const (
	stripes   = 32
	stripeBit = 6
)

// Sent counts the bytes that sockets have taken. It is in parts, so that the workers of a fan-out seldom write to the same
// cache line.
type Sent struct {
	parts [stripes]struct {
		bytes atomic.Int64
		_     [56]byte
	}
}

// Bytes is the sum.
func (s *Sent) Bytes() (sum int64) {
	for i := range s.parts {
		sum += s.parts[i].bytes.Load()
	}
	return sum
}

// count notes that the socket has taken n bytes. It is called with mu held.
func (w *Writer) count(n int) {
	if n <= 0 {
		return
	}
	w.bytes += uint64(n)
	if s := w.owner.Config().Sent; s != nil {
		s.parts[uint32(w.fd)>>stripeBit%stripes].bytes.Add(int64(n))
	}
}
