package codec

import (
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// CBOR is protocol v1 in binary frames of CBOR.
type CBOR struct{ webSocket }

var _ Codec = CBOR{}

// Form implements Codec.
func (CBOR) Form() frame.Form { return FormCBOR }

// Request implements Reader.
func (CBOR) Request(p []byte, q *protocol.Request) error { return q.DecodeCBOR(p) }

// RequestID implements Reader.
func (CBOR) RequestID(p []byte) uint64 { return protocol.RequestIDCBOR(p) }

// Message implements Writer.
func (CBOR) Message(dst []byte, room string, m *broker.Message, shown *protocol.Meta) []byte {
	return cbor.AppendMessage(dst, room, m.Data, m.Binary, m.Position.Epoch, m.Position.Offset, shown)
}

// Skip implements Writer.
func (CBOR) Skip(dst []byte, room string, at broker.Position) []byte {
	return converted(dst, func(p []byte) []byte { return JSON{}.Skip(p, room, at) })
}

// Direct implements Writer.
func (CBOR) Direct(dst, data []byte, binary bool) []byte {
	return cbor.AppendMessage(dst, "", data, binary, "", 0, nil)
}

// Gap implements Writer.
func (CBOR) Gap(dst []byte, room string, at broker.Position) []byte {
	return cbor.AppendGap(dst, room, at.Epoch, at.Offset)
}

// converted appends a frame that write writes in JSON. Such frames are few.
func converted(dst []byte, write func(dst []byte) []byte) []byte {
	return cbor.FromJSON(dst, write(nil))
}

// Joined implements Writer.
func (CBOR) Joined(dst []byte, o protocol.OK) []byte {
	return converted(dst, func(p []byte) []byte { return protocol.AppendJoined(p, o) })
}

// Left implements Writer.
func (CBOR) Left(dst []byte, room string, why *protocol.Error) []byte {
	return converted(dst, func(p []byte) []byte { return protocol.AppendLeft(p, room, why) })
}

// Refresh implements Writer.
func (CBOR) Refresh(dst []byte, room string, left time.Duration) []byte {
	return converted(dst, func(p []byte) []byte { return protocol.AppendRefresh(p, room, left) })
}

// Change implements Writer.
func (CBOR) Change(dst []byte, room string, m protocol.Member, joined bool) []byte {
	return converted(dst, func(p []byte) []byte { return JSON{}.Change(p, room, m, joined) })
}

// PresenceChanged implements Writer.
func (CBOR) PresenceChanged(dst []byte, room string, count int, spread time.Duration) []byte {
	return converted(dst, func(p []byte) []byte { return protocol.AppendPresenceChanged(p, room, count, spread) })
}

// Welcome implements Writer.
func (CBOR) Welcome(dst []byte, w protocol.Welcome) []byte {
	return converted(dst, func(p []byte) []byte { return protocol.AppendWelcome(p, w) })
}

// OK implements Writer.
func (CBOR) OK(dst []byte, o protocol.OK) []byte { return cbor.AppendOK(dst, o) }

// Error implements Writer.
func (CBOR) Error(dst []byte, id uint64, room string, e *protocol.Error) []byte {
	return converted(dst, func(p []byte) []byte { return protocol.AppendError(p, id, room, e) })
}

// Stale implements Writer.
func (CBOR) Stale(dst []byte) []byte { return converted(dst, protocol.AppendStale) }

// Live implements Writer.
func (CBOR) Live(dst []byte) []byte { return converted(dst, protocol.AppendLive) }

// OKHead implements Writer.
func (CBOR) OKHead(dst []byte, o protocol.OK, n int) []byte {
	return cbor.AppendOKHead(dst, o.ID, o.Room, n)
}

// Tail implements Writer.
func (CBOR) Tail() string { return "" }
