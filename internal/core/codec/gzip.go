package codec

import (
	"compress/flate"
	"encoding/binary"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// SSEGzip is SSE as parts of a gzip stream (RFC 1952) that begins with GzipHead. Each event is compressed by itself, so that all
// connections of a room share it, and ends at a byte's end. Its id is stored uncompressed in front.
type SSEGzip struct{}

var _ Codec = SSEGzip{}

// GzipHead is the head of a gzip stream.
const GzipHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// minDeflate is the shortest that is compressed, in bytes.
const minDeflate = 96

// deflater compresses at the fastest level.
var deflater = func() *frame.Deflater {
	d, err := frame.NewDeflater(flate.BestSpeed)
	if err != nil {
		panic(err) // it is a level of the package's own
	}
	return d
}()

// storedHead is the length of what is in front of a stored block's bytes.
const storedHead = 5

// appendStored appends p as blocks that are not compressed.
func appendStored(dst, p []byte) []byte {
	for len(p) > 0 {
		n := min(len(p), 1<<16-1)
		dst = binary.LittleEndian.AppendUint16(append(dst, 0), uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst = append(dst, p[:n]...)
		p = p[n:]
	}
	return dst
}

// flush is an empty stored block. Some readers keep what they have read until one comes; blocks of the deflater end in one.
const flush = "\x00\x00\x00\xff\xff"

// plainEvents hold events on their way into a block.
var plainEvents = sync.Pool{New: func() any { return new([]byte) }}

const keepEvent = 64 << 10

// packed appends the events that write writes.
func packed(dst []byte, write func(dst []byte) []byte) []byte {
	buf := plainEvents.Get().(*[]byte) //nolint:forcetypeassert // the pool's only type
	p := write((*buf)[:0])
	id := p[:idLength(p)]
	dst = appendStored(dst, id)
	if rest := p[len(id):]; len(rest) < minDeflate {
		dst = append(appendStored(dst, rest), flush...)
	} else {
		dst = deflater.AppendBlocks(dst, rest)
	}
	if *buf = p; cap(p) <= keepEvent {
		plainEvents.Put(buf)
	}
	return dst
}

// Form implements Codec.
func (SSEGzip) Form() frame.Form { return FormSSEGzip }

// Request implements Reader.
func (SSEGzip) Request(p []byte, q *protocol.Request) error { return SSE{}.Request(p, q) }

// RequestID implements Reader.
func (SSEGzip) RequestID([]byte) uint64 { return 0 }

// Message implements Writer.
func (SSEGzip) Message(dst []byte, room string, m *broker.Message, shown *protocol.Meta) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Message(p, room, m, shown) })
}

// Skip implements Writer.
func (SSEGzip) Skip(dst []byte, room string, pos broker.Position) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Skip(p, room, pos) })
}

// Direct implements Writer.
func (SSEGzip) Direct(dst, data []byte, binary bool) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Direct(p, data, binary) })
}

// Gap implements Writer.
func (SSEGzip) Gap(dst []byte, room string, pos broker.Position) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Gap(p, room, pos) })
}

// Joined implements Writer.
func (SSEGzip) Joined(dst []byte, o protocol.OK) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Joined(p, o) })
}

// Left implements Writer.
func (SSEGzip) Left(dst []byte, room string, why *protocol.Error) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Left(p, room, why) })
}

// Refresh implements Writer.
func (SSEGzip) Refresh(dst []byte, room string, left time.Duration) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Refresh(p, room, left) })
}

// Change implements Writer.
func (SSEGzip) Change(dst []byte, room string, m protocol.Member, joined bool) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Change(p, room, m, joined) })
}

// PresenceChanged implements Writer.
func (SSEGzip) PresenceChanged(dst []byte, room string, count int, spread time.Duration) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.PresenceChanged(p, room, count, spread) })
}

// Welcome implements Writer.
func (SSEGzip) Welcome(dst []byte, w protocol.Welcome) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Welcome(p, w) })
}

// OK implements Writer.
func (SSEGzip) OK(dst []byte, o protocol.OK) []byte { return SSEGzip{}.Joined(dst, o) }

// Error implements Writer.
func (SSEGzip) Error(dst []byte, id uint64, room string, e *protocol.Error) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Error(p, id, room, e) })
}

// Stale implements Writer.
func (SSEGzip) Stale(dst []byte) []byte { return packed(dst, SSE{}.Stale) }

// Live implements Writer.
func (SSEGzip) Live(dst []byte) []byte { return packed(dst, SSE{}.Live) }

// OKHead implements Writer. No client asks for what has one.
func (SSEGzip) OKHead(dst []byte, o protocol.OK, n int) []byte { return SSE{}.OKHead(dst, o, n) }

// Tail implements Writer.
func (SSEGzip) Tail() string { return SSE{}.Tail() }

var storedComment = appendStored(nil, comment)

// Beat implements Framing.
func (SSEGzip) Beat() []byte { return storedComment }

// Close implements Framing. The sums that end a gzip stream are left out: they would have to be kept for each connection, and
// the client comes back either way.
func (SSEGzip) Close(dst []byte, code protocol.CloseCode, h protocol.Hint) []byte {
	return packed(dst, func(p []byte) []byte { return SSE{}.Close(p, code, h) })
}
