// Package cbor writes the frames of hubkit.v1.cbor: those of protocol v1, field by field, in CBOR (RFC 8949).
//
// A frame is a map of definite length with text for keys. The fields have the names that they have in JSON. An application's
// value (data, and info of the publisher) is a text string that holds its JSON, or, for data alone, a byte string. What is
// nested otherwise is maps and arrays. Heads and numbers are as short as possible, as section 4.2.1 of the RFC has it.
//
// Package protocol reads them, as it reads JSON: limits and errors have one definition. Frames that are few are written as
// JSON first, by package protocol too. Frames that go to many, or come often, are written without that detour.
package cbor

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

// Major types of RFC 8949, section 3.1, in their place in the first byte.
const (
	majorUint   = 0 << 5
	majorBytes  = 2 << 5
	majorText   = 3 << 5
	majorArray  = 4 << 5
	majorMap    = 5 << 5
	majorSimple = 7 << 5

	simpleFalse = majorSimple | 20
	simpleTrue  = majorSimple | 21
	simpleNull  = majorSimple | 22
	float16Bits = majorSimple | 25
	float32Bits = majorSimple | 26
	float64Bits = majorSimple | 27
)

// head appends a major type and its argument.
func head(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func text[T string | ~[]byte](dst []byte, s T) []byte {
	return append(head(dst, majorText, uint64(len(s))), s...)
}

func bytesOf(dst, s []byte) []byte { return append(head(dst, majorBytes, uint64(len(s))), s...) }

// fields counts what a map of up to 23 fields has, and writes that to its head at the end.
type fields struct {
	dst   []byte
	start int
}

func begin(dst []byte, op string) fields {
	f := open(dst)
	f.text("op", op)
	return f
}

func open(dst []byte) fields { return fields{dst: append(dst, majorMap), start: len(dst)} }

func (f *fields) key(name string) {
	f.dst[f.start]++
	f.dst = text(f.dst, name)
}

// text writes a field, unless it is empty.
func (f *fields) text(name, s string) {
	if s != "" {
		f.key(name)
		f.dst = text(f.dst, s)
	}
}

// named writes a name that nobody has checked. Bytes that are not UTF-8 become U+FFFD, as they do in JSON.
func (f *fields) named(name, s string) {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	f.text(name, s)
}

// uint writes a field, unless it is zero.
func (f *fields) uint(name string, v uint64) {
	if v != 0 {
		f.key(name)
		f.dst = head(f.dst, majorUint, v)
	}
}

// milliseconds rounds up and keeps to 0 and protocol.MaxDelay, as package protocol does.
func milliseconds(d time.Duration) uint64 {
	d = min(max(d, 0), protocol.MaxDelay)
	return uint64((d + time.Millisecond - 1) / time.Millisecond)
}

// position writes a position, unless epoch is empty.
func (f *fields) position(epoch string, offset uint64) {
	if epoch != "" {
		f.text("epoch", epoch)
		f.key("offset")
		f.dst = head(f.dst, majorUint, offset)
	}
}

// data writes JSON, or bytes.
func (f *fields) data(data []byte, isBinary bool) {
	f.key("data")
	switch {
	case isBinary:
		f.dst = bytesOf(f.dst, data)
	case len(data) == 0:
		f.dst = text(f.dst, "null")
	default:
		f.dst = text(f.dst, data)
	}
}

// meta writes what a message carries beside its data.
func (f *fields) meta(m *protocol.Meta) {
	if m == nil {
		return
	}
	if p := m.From; p != nil {
		f.key("from")
		from := open(f.dst)
		from.named("conn", p.Conn)
		from.named("user", p.User)
		if len(p.Info) > 0 {
			from.key("info")
			from.dst = text(from.dst, p.Info)
		}
		f.dst = from.dst
	}
	f.uint("time", uint64(max(m.Time, 0)))
	if len(m.Tags) > 0 {
		f.key("tags")
		f.dst = head(f.dst, majorMap, uint64(len(m.Tags)))
		for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
			f.dst = text(text(f.dst, k), m.Tags[k])
		}
	}
	f.text("traceparent", m.TraceParent)
	f.text("tracestate", m.TraceState)
}

// AppendMessage appends a message frame. An empty room is left out, and so is the position if epoch is empty. data is valid
// JSON, or bytes if isBinary is set. m may be nil; its tags are within the bounds that protocol.CheckTags has.
func AppendMessage(dst []byte, room string, data []byte, isBinary bool, epoch string, offset uint64, m *protocol.Meta) []byte {
	const most = len("_opgmessage_room_____epoch_offset_________data_________")
	if need := most + len(room) + len(epoch) + len(data); cap(dst)-len(dst) < need {
		dst = append(make([]byte, 0, len(dst)+need), dst...)
	}
	f := begin(dst, "message")
	f.text("room", room)
	f.position(epoch, offset)
	f.meta(m)
	f.data(data, isBinary)
	return f.dst
}

// AppendGap appends a gap frame.
func AppendGap(dst []byte, room, epoch string, offset uint64) []byte {
	f := begin(dst, "gap")
	f.text("room", room)
	f.position(epoch, offset)
	return f.dst
}

// AppendOKHead appends an ok frame up to its data, of which n bytes of JSON follow.
func AppendOKHead(dst []byte, id uint64, room string, n int) []byte {
	f := begin(dst, "ok")
	f.uint("id", id)
	f.text("room", room)
	f.key("data")
	return head(f.dst, majorText, uint64(n))
}

// AppendOK appends an ok frame.
func AppendOK(dst []byte, o protocol.OK) []byte {
	f := begin(dst, "ok")
	f.uint("id", o.ID)
	f.text("room", o.Room)
	f.position(o.Epoch, o.Offset)
	f.uint("expires_ms", milliseconds(o.Expires))
	if o.ReadOnly {
		f.key("read_only")
		f.dst = append(f.dst, simpleTrue)
	}
	if len(o.Data) > 0 {
		f.data(o.Data, false)
	}
	return f.dst
}
