package wsload

import "encoding/binary"

// Opcodes of RFC 6455, section 5.2.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// frame is one frame as a server sends it; payload points into the buffer that was parsed.
type frame struct {
	op      byte
	fin     bool
	payload []byte
}

// parseFrame reads the frame at the start of b. size is its length with the header, and zero where b
// does not hold all of it. ok is false when b cannot be the start of a server's frame: it is masked,
// uses a reserved bit, or claims more than 2^62 bytes.
func parseFrame(b []byte) (f frame, size int, ok bool) {
	if len(b) < 2 {
		return frame{}, 0, true
	}
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 {
		return frame{}, 0, false
	}
	head, n := 2, uint64(b[1])
	switch n {
	case 126:
		if head = 4; len(b) < head {
			return frame{}, 0, true
		}
		n = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return frame{}, 0, true
		}
		if n = binary.BigEndian.Uint64(b[2:]); n > 1<<62 {
			return frame{}, 0, false
		}
	}
	if uint64(len(b)-head) < n {
		return frame{}, 0, true
	}
	size = head + int(n)
	return frame{op: b[0] & 0x0f, fin: b[0]&0x80 != 0, payload: b[head:size]}, size, true
}

// maskKey is the same for every frame: a benchmark needs the server's unmasking, not the secrecy.
var maskKey = [4]byte{0x5a, 0xc3, 0x91, 0x0f}

// appendFrame appends a whole masked frame, as a client must send it.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, maskKey[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	for i, body := 0, dst[start:]; i < len(body); i++ {
		body[i] ^= maskKey[i&3]
	}
	return dst
}
