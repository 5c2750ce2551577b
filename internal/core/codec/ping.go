package codec

import (
	"encoding/binary"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// MaxPing is the longest frame that Ping knows.
const MaxPing = len(`{"op":"ping","id":9007199254740991}`)

// Ping reports whether p is a ping as clients send it by the million: the frame that is always the same, or the one with an
// id, written without space. It is no method of a Codec, since p would be allocated by whoever calls one.
func Ping(f frame.Form, p []byte) (id uint64, ok bool) {
	if len(p) > MaxPing {
		return 0, false
	}
	switch f {
	case FormJSON:
		return jsonPing(p)
	case FormCBOR:
		return cborPing(p)
	}
	return 0, false
}

func jsonPing(p []byte) (id uint64, ok bool) {
	const start, ends = `{"op":"ping"`, `,"id":`
	if len(p) <= len(start) || string(p[:len(start)]) != start || p[len(p)-1] != '}' {
		return 0, false
	}
	rest := p[len(start) : len(p)-1]
	switch {
	case len(rest) == 0:
		return 0, true
	case len(rest) <= len(ends) || string(rest[:len(ends)]) != ends || rest[len(ends)] == '0':
		return 0, false
	}
	for _, c := range rest[len(ends):] {
		if c < '0' || c > '9' {
			return 0, false
		}
		id = 10*id + uint64(c-'0')
	}
	return id, id <= protocol.MaxID
}

func cborPing(p []byte) (id uint64, ok bool) {
	const op, field = "\x62op\x64ping", "\x62id"
	if len(p) < 1+len(op) || string(p[1:1+len(op)]) != op {
		return 0, false
	}
	rest := p[1+len(op):]
	switch {
	case p[0] == 0xa1:
		return 0, len(rest) == 0
	case p[0] != 0xa2 || len(rest) <= len(field) || string(rest[:len(field)]) != field:
		return 0, false
	}
	rest = rest[len(field):]
	switch first, rest := rest[0], rest[1:]; {
	case first < 24:
		return uint64(first), len(rest) == 0
	case first == 24 && len(rest) == 1:
		return uint64(rest[0]), true
	case first == 25 && len(rest) == 2:
		return uint64(binary.BigEndian.Uint16(rest)), true
	case first == 26 && len(rest) == 4:
		return uint64(binary.BigEndian.Uint32(rest)), true
	case first == 27 && len(rest) == 8:
		id = binary.BigEndian.Uint64(rest)
		return id, id <= protocol.MaxID
	}
	return 0, false
}
