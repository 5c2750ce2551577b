package client

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

var (
	errReserved    = fmt.Errorf("%w: RSV1 on a frame that does not begin a message", ErrProtocol)
	errCloseLength = fmt.Errorf("%w: a close frame of one byte", ErrProtocol)
)

// frames follows the headers of the frames that the server sends, and finds what gorilla judges differently. gorilla takes RSV1
// on continuation and control frames, which has no meaning there, if messages may be compressed (RFC 7692, section 6). It
// takes a close frame of one byte for an empty one, and refuses one with 1014.
type frames struct {
	header  [10]byte // without a mask, for a server has none; gorilla refuses one that has
	have    int      // bytes of the header
	left    uint64   // bytes of the payload
	closing []byte   // what has come of a close frame's payload; nil for other frames
}

// pass returns how much of p comes before what must not reach gorilla, and an error if there is such a thing.
func (f *frames) pass(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if f.left > 0 {
			n := int(min(f.left, uint64(len(p)-i)))
			f.left -= uint64(n)
			if f.closing != nil {
				if err := f.close(p[i : i+n]); err != nil {
					return i + n - 1, err
				}
			}
			i += n
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
	f.have, f.closing = 0, nil
	const whole, most = 0x80, 125
	if f.header[0] == whole|websocket.CloseMessage && f.left <= most {
		f.closing = make([]byte, 0, f.left)
	}
}

// close takes the next piece of a close frame's payload. When it is complete and gorilla would judge it differently, the error
// is what ends the connection.
func (f *frames) close(piece []byte) error {
	f.closing = append(f.closing, piece...)
	if f.left > 0 {
		return nil
	}
	if len(f.closing) == 1 {
		return errCloseLength
	}
	code := int(binary.BigEndian.Uint16(f.closing))
	if text := f.closing[2:]; code == int(protocol.CloseBadGateway) && utf8.Valid(text) {
		return &websocket.CloseError{Code: code, Text: string(text)}
	}
	return nil
}
