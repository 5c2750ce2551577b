package client

import (
	"encoding/binary"
	"fmt"
)

var errReserved = fmt.Errorf("%w: RSV1 on a frame that does not begin a message", ErrProtocol)

// frames follows the headers of the frames that the server sends. gorilla takes RSV1 on continuation and control frames,
// which has no meaning there, if messages may be compressed (RFC 7692, section 6).
type frames struct {
	header [10]byte // without a mask, for a server has none; gorilla refuses one that has
	have   int      // bytes of the header
	left   uint64   // bytes of the payload
}

// pass returns how much of p comes before a frame that must not be, and an error if there is one.
func (f *frames) pass(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)-i))
			f.left -= n
			i += int(n)
			continue
		}
		if f.have == 0 {
			const rsv1, opcode, text, binary = 0x40, 0x0f, 1, 2
			if op := p[i] & opcode; p[i]&rsv1 != 0 && op != text && op != binary {
				return i, errReserved
			}
		}
		f.header[f.have] = p[i]
		f.have++
		i++
		f.measure()
	}
	return len(p), nil
}

// measure sets how long the payload is, once the header is complete.
func (f *frames) measure() {
	if f.have < 2 {
		return
	}
	const longest = 0x7f
	switch n := f.header[1] & longest; {
	case n < 126:
		f.left = uint64(n)
	case n == 126 && f.have == 4:
		f.left = uint64(binary.BigEndian.Uint16(f.header[2:]))
	case n == 127 && f.have == 10:
		f.left = binary.BigEndian.Uint64(f.header[2:])
	default:
		return
	}
	f.have = 0
}
