// Package codec has what connections speak. A [Codec] turns frames into requests, and what a client is told into frames. The
// hub, the rooms and presence know no other way to write to a client, so that a new codec needs nothing of them.
//
// A codec writes the content of a frame. The engine adds what goes around it: a WebSocket header, if the codec's form says so. A room writes a message once for each form that its members speak.
package codec

import (
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Codec is a way to say what protocol v1 says. Its methods may be called from several goroutines. Those that append return
// the extended buffer, and keep nothing of their arguments.
type Codec interface {
	Reader
	Writer
	Framing
	// Form is what tells the codec's frames from those of others.
	Form() frame.Form
}

// Reader is what a codec makes of a client's frames.
type Reader interface {
	// Request reads a frame and overwrites all of q, as protocol.Request.Decode does.
	Request(p []byte, q *protocol.Request) error
	// RequestID is the id of a request, if it is quickly found; otherwise zero.
	RequestID(p []byte) uint64
}

// Writer is what a client is told. Each method but Tail appends the content of one frame.
type Writer interface {
	// Message is one of a room, with what the room shows of its Meta; nil for nothing.
	Message(dst []byte, room string, m *broker.Message, shown *protocol.Meta) []byte
	// Skip stands for a message that the client is not sent.
	Skip(dst []byte, room string, at broker.Position) []byte
	// Direct is a message to the connection alone: JSON, or bytes if binary is set.
	Direct(dst, data []byte, binary bool) []byte
	Gap(dst []byte, room string, at broker.Position) []byte

	Joined(dst []byte, o protocol.OK) []byte
	Left(dst []byte, room string, why *protocol.Error) []byte
	Refresh(dst []byte, room string, left time.Duration) []byte

	// Change is a member that came, or left.
	Change(dst []byte, room string, m protocol.Member, joined bool) []byte
	PresenceChanged(dst []byte, room string, count int, spread time.Duration) []byte

	Welcome(dst []byte, w protocol.Welcome) []byte
	OK(dst []byte, o protocol.OK) []byte
	Error(dst []byte, id uint64, room string, e *protocol.Error) []byte
	Stale(dst []byte) []byte
	Live(dst []byte) []byte

	// OKHead is an OK up to its data, of which n bytes of JSON and Tail follow.
	OKHead(dst []byte, o protocol.OK, n int) []byte
	// Tail is what ends a frame that OKHead has begun.
	Tail() string
}

// The forms of the codecs. They are kept with each connection.
const (
	FormRaw  frame.Form = 0x00
	FormJSON frame.Form = 0x10 | frame.Text
	FormCBOR frame.Form = 0x20 | frame.Binary

	FormSSE     frame.Form = 0x30
	FormSSEGzip frame.Form = 0x40
)

// codecs are by the index of their form.
var codecs = [frame.Forms]Codec{
	FormRaw >> 4:  Raw{},
	FormJSON >> 4: JSON{},
	FormCBOR >> 4: CBOR{},

	FormSSE >> 4:     SSE{},
	FormSSEGzip >> 4: SSEGzip{},
}

// Of returns the codec of a form.
func Of(f frame.Form) Codec { return codecs[f.Index()] }
