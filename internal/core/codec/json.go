package codec

import (
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// JSON is protocol v1 as package protocol has it, in text frames.
type JSON struct{ webSocket }

var _ Codec = JSON{}

// Form implements Codec.
func (JSON) Form() frame.Form { return FormJSON }

// Request implements Reader.
func (JSON) Request(p []byte, q *protocol.Request) error { return q.Decode(p) }

// RequestID implements Reader.
func (JSON) RequestID(p []byte) uint64 { return protocol.RequestID(p) }

// Message implements Writer.
func (JSON) Message(dst []byte, room string, m *broker.Message, shown *protocol.Meta) []byte {
	if m.Binary {
		return protocol.AppendBinary(dst, room, m.Data, m.Position.Epoch, m.Position.Offset, shown)
	}
	return protocol.AppendMessageWith(dst, room, m.Data, m.Position.Epoch, m.Position.Offset, shown)
}

// Skip implements Writer.
func (JSON) Skip(dst []byte, room string, at broker.Position) []byte {
	return protocol.AppendSkip(dst, room, at.Epoch, at.Offset)
}

// Direct implements Writer.
func (JSON) Direct(dst, data []byte, binary bool) []byte {
	if binary {
		return protocol.AppendBinary(dst, "", data, "", 0, nil)
	}
	return protocol.AppendMessage(dst, "", data, "", 0)
}

// Gap implements Writer.
func (JSON) Gap(dst []byte, room string, at broker.Position) []byte {
	return protocol.AppendGap(dst, room, at.Epoch, at.Offset)
}

// Joined implements Writer.
func (JSON) Joined(dst []byte, o protocol.OK) []byte { return protocol.AppendJoined(dst, o) }

// Left implements Writer.
func (JSON) Left(dst []byte, room string, why *protocol.Error) []byte {
	return protocol.AppendLeft(dst, room, why)
}

// Refresh implements Writer.
func (JSON) Refresh(dst []byte, room string, left time.Duration) []byte {
	return protocol.AppendRefresh(dst, room, left)
}

// Change implements Writer.
func (JSON) Change(dst []byte, room string, m protocol.Member, joined bool) []byte {
	if joined {
		return protocol.AppendJoin(dst, room, m)
	}
	return protocol.AppendLeave(dst, room, m)
}

// PresenceChanged implements Writer.
func (JSON) PresenceChanged(dst []byte, room string, count int, spread time.Duration) []byte {
	return protocol.AppendPresenceChanged(dst, room, count, spread)
}

// Welcome implements Writer.
func (JSON) Welcome(dst []byte, w protocol.Welcome) []byte { return protocol.AppendWelcome(dst, w) }

// OK implements Writer.
func (JSON) OK(dst []byte, o protocol.OK) []byte { return protocol.AppendOK(dst, o) }

// Error implements Writer.
func (JSON) Error(dst []byte, id uint64, room string, e *protocol.Error) []byte {
	return protocol.AppendError(dst, id, room, e)
}

// Stale implements Writer.
func (JSON) Stale(dst []byte) []byte { return protocol.AppendStale(dst) }

// Live implements Writer.
func (JSON) Live(dst []byte) []byte { return protocol.AppendLive(dst) }

// OKHead implements Writer.
func (JSON) OKHead(dst []byte, o protocol.OK, _ int) []byte { return protocol.AppendOKHead(dst, o) }

// Tail implements Writer.
func (JSON) Tail() string { return "}" }

// Raw is the application's own protocol, of which the hub knows nothing: messages are the data as it is, with the opcode that
// each has.
type Raw struct{ JSON }

// Form implements Codec.
func (Raw) Form() frame.Form { return FormRaw }

// Message implements Writer.
func (Raw) Message(dst []byte, _ string, m *broker.Message, _ *protocol.Meta) []byte {
	return append(dst, m.Data...)
}

// Direct implements Writer.
func (Raw) Direct(dst, data []byte, _ bool) []byte { return append(dst, data...) }
