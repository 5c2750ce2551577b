package codec

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// SSE is protocol v1 as Server-Sent Events, for clients that only read. The data of an event is the frame that JSON writes. An
// event that moves the client's position in a room begins with an id, for a client that is in no other room; see Trail.
type SSE struct{}

var _ Codec = SSE{}

const (
	// MinRetry and MaxRetry bound the reconnect time of a client without a retry hint.
	MinRetry = time.Second
	MaxRetry = 3 * time.Second
	// NoReturn is what stands for never, which EventSource does not know.
	NoReturn = 24 * time.Hour
)

// Form implements Codec.
func (SSE) Form() frame.Form { return FormSSE }

// Request implements Reader. A client sends none.
func (SSE) Request([]byte, *protocol.Request) error {
	return &protocol.Error{Code: protocol.CodeBadRequest, Message: "nothing is read from an event stream"}
}

// RequestID implements Reader.
func (SSE) RequestID([]byte) uint64 { return 0 }

// ended ends an event whose data begins at from. The data is JSON, where the end of a line is as good as a space.
func ended(dst []byte, from int) []byte {
	for _, end := range [...]byte{'\n', '\r'} {
		for rest := dst[from:]; ; {
			i := bytes.IndexByte(rest, end)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
	return append(dst, "\n\n"...)
}

// named appends an event that is no message. name is an EventSource's type.
func named(dst []byte, name string, write func(dst []byte) []byte) []byte {
	dst = append(append(append(dst, "event:"...), name...), "\ndata:"...)
	return ended(write(dst), len(dst))
}

// at appends the id of a position, of a room with history.
func at(dst []byte, room, epoch string, offset uint64) []byte {
	if epoch == "" {
		return dst
	}
	dst = append(append(dst, idStart...), ',')
	return append(appendPlace(dst, room, epoch, offset), '\n')
}

// Message implements Writer.
func (SSE) Message(dst []byte, room string, m *broker.Message, shown *protocol.Meta) []byte {
	dst = append(at(dst, room, m.Position.Epoch, m.Position.Offset), "data:"...)
	return ended(JSON{}.Message(dst, room, m, shown), len(dst))
}

// Skip implements Writer. It is an id alone, which the client keeps without an event.
func (SSE) Skip(dst []byte, room string, pos broker.Position) []byte {
	return append(at(dst, room, pos.Epoch, pos.Offset), '\n')
}

// Direct implements Writer.
func (SSE) Direct(dst, data []byte, binary bool) []byte {
	dst = append(dst, "data:"...)
	return ended(JSON{}.Direct(dst, data, binary), len(dst))
}

// Gap implements Writer.
func (SSE) Gap(dst []byte, room string, pos broker.Position) []byte {
	dst = at(dst, room, pos.Epoch, pos.Offset)
	return named(dst, "gap", func(p []byte) []byte { return JSON{}.Gap(p, room, pos) })
}

// Joined implements Writer.
func (SSE) Joined(dst []byte, o protocol.OK) []byte {
	dst = at(dst, o.Room, o.Epoch, o.Offset)
	return named(dst, "joined", func(p []byte) []byte { return protocol.AppendJoined(p, o) })
}

// Left implements Writer. A client that is to join again needs its place.
func (SSE) Left(dst []byte, room string, why *protocol.Error) []byte {
	if !why.Code.Retry() {
		dst = append(append(dst, idStart...), ',')
		dst = append(append(appendName(dst, room), noPlace...), '\n')
	}
	return named(dst, "left", func(p []byte) []byte { return protocol.AppendLeft(p, room, why) })
}

// Refresh implements Writer.
func (SSE) Refresh(dst []byte, room string, left time.Duration) []byte {
	return named(dst, "refresh", func(p []byte) []byte { return protocol.AppendRefresh(p, room, left) })
}

// Change implements Writer.
func (SSE) Change(dst []byte, room string, m protocol.Member, joined bool) []byte {
	name := "leave"
	if joined {
		name = "join"
	}
	return named(dst, name, func(p []byte) []byte { return JSON{}.Change(p, room, m, joined) })
}

// PresenceChanged implements Writer.
func (SSE) PresenceChanged(dst []byte, room string, count int, spread time.Duration) []byte {
	return named(dst, "presence", func(p []byte) []byte { return protocol.AppendPresenceChanged(p, room, count, spread) })
}

// Welcome implements Writer. It has a time to come back after that is the client's own, in case the server is lost.
func (SSE) Welcome(dst []byte, w protocol.Welcome) []byte {
	dst = appendRetry(dst, MinRetry+rand.N(MaxRetry-MinRetry))
	return named(dst, "welcome", func(p []byte) []byte { return protocol.AppendWelcome(p, w) })
}

func appendRetry(dst []byte, after time.Duration) []byte {
	dst = strconv.AppendInt(append(dst, "retry:"...), int64((after+time.Millisecond-1)/time.Millisecond), 10)
	return append(dst, '\n')
}

// OK implements Writer. It is the answer to a room that the request has named.
func (x SSE) OK(dst []byte, o protocol.OK) []byte { return x.Joined(dst, o) }

// Error implements Writer. Events that are called error are an EventSource's own.
func (SSE) Error(dst []byte, id uint64, room string, e *protocol.Error) []byte {
	return named(dst, "refused", func(p []byte) []byte { return protocol.AppendError(p, id, room, e) })
}

// Stale implements Writer.
func (SSE) Stale(dst []byte) []byte { return named(dst, "stale", protocol.AppendStale) }

// Live implements Writer.
func (SSE) Live(dst []byte) []byte { return named(dst, "live", protocol.AppendLive) }

// OKHead implements Writer. No client asks for what has one.
func (SSE) OKHead(dst []byte, o protocol.OK, _ int) []byte {
	return protocol.AppendOKHead(append(dst, "event:ok\ndata:"...), o)
}

// Tail implements Writer.
func (SSE) Tail() string { return "}\n\n" }

var comment = []byte(":\n\n")

// Beat implements Framing. Clients do not answer it.
func (SSE) Beat() []byte { return comment }

// Close implements Framing. HTTP has one number, so the spread is drawn here.
func (SSE) Close(dst []byte, code protocol.CloseCode, h protocol.Hint) []byte {
	switch {
	case !code.Reconnect():
		dst = appendRetry(dst, NoReturn)
	case h.RetryAfter > 0 || h.Spread > 0:
		dst = appendRetry(dst, max(h.RetryAfter, 0)+rand.N(max(h.Spread, 0)+1))
	}
	return named(dst, "close", func(p []byte) []byte { return protocol.AppendClosed(p, code, h) })
}
