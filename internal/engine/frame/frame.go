package frame

import (
	"encoding/binary"
	"fmt"
)

// Opcodes of RFC 6455, section 11.8.
const (
	Text   = 0x1
	Binary = 0x2
	Close  = 0x8
	Ping   = 0x9
	Pong   = 0xA
)

const (
	fin  = 0x80
	rsv1 = 0x40

	// MaxControl is the longest payload of a control frame.
	MaxControl = 125
	// MaxHeader is the longest header of a frame that a server sends.
	MaxHeader = 10
)

// Append appends one unfragmented frame.
func Append(dst []byte, opcode byte, payload []byte) []byte {
	return append(appendHeader(dst, fin|opcode, len(payload)), payload...)
}

// Encode appends one unfragmented frame whose payload encode appends: it is encoded where it stays, and
// moved only if the header turns out longer or shorter than is usual. With an opcode of zero there is no header.
func Encode(dst []byte, opcode byte, encode func(dst []byte) []byte) []byte {
	if opcode == 0 {
		return encode(dst)
	}
	start := len(dst)
	return seal(encode(reserve(dst)), start, opcode)
}

// guess is the length of the header of a payload of 126 bytes to 64 KiB.
const guess = 4

// reserve keeps a place for the header of a frame.
func reserve(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// seal writes the header of a frame that begins at start, where reserve kept a place for it.
func seal(dst []byte, start int, opcode byte) []byte {
	n := len(dst) - start - guess
	h := headerLen(n)
	if h > guess {
		dst = append(dst, make([]byte, h-guess)...)
	}
	if h != guess {
		copy(dst[start+h:], dst[start+guess:start+guess+n])
		dst = dst[:start+h+n]
	}
	appendHeader(dst[start:start], fin|opcode, n)
	return dst
}

// AppendClose appends a close frame. A reason too long for a control frame is an error of the caller
// and is left out whole, so that what is sent is never half a JSON object.
func AppendClose(dst []byte, code uint16, reason string) []byte {
	if len(reason) > MaxControl-2 {
		reason = ""
	}
	dst = appendHeader(dst, fin|Close, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, code)
	return append(dst, reason...)
}

// AppendHead appends the header of an unfragmented frame with a payload of n bytes, which must follow.
func AppendHead(dst []byte, opcode byte, n int) []byte { return appendHeader(dst, fin|opcode, n) }

func appendHeader(dst []byte, b0 byte, n int) []byte {
	switch {
	case n <= MaxControl:
		return append(dst, b0, byte(n))
	case n <= 0xffff:
		return append(dst, b0, 126, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, b0, 127), uint64(n))
	}
}

func headerLen(n int) int {
	switch {
	case n <= MaxControl:
		return 2
	case n <= 0xffff:
		return 4
	default:
		return MaxHeader
	}
}

// Cut takes the first frame of wire apart. wire is what this package built, so a malformed frame is a bug.
func Cut(wire []byte) (opcode byte, payload, rest []byte) {
	h, n := 2, int(wire[1])
	switch n {
	case 126:
		h, n = 4, int(binary.BigEndian.Uint16(wire[2:]))
	case 127:
		h, n = MaxHeader, int(binary.BigEndian.Uint64(wire[2:]))
	}
	if n < 0 || h+n > len(wire) {
		panic(fmt.Sprintf("frame: %d bytes of payload in %d bytes of wire", n, len(wire)))
	}
	return wire[0] & 0xf, wire[h : h+n], wire[h+n:]
}
