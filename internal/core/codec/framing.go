package codec

import (
	"strings"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Framing is what a connection is sent beside the codec's frames. It is whole: nothing is around it.
type Framing interface {
	// Beat keeps the connection from being taken for lost. It must not be changed.
	Beat() []byte
	// Close appends the last data: the reason for the close, and the retry hint.
	Close(dst []byte, code protocol.CloseCode, h protocol.Hint) []byte
}

// webSocket is the framing of codecs whose frames are those of WebSocket. Clients answer a Beat.
type webSocket struct{}

var pingFrame = frame.Append(nil, frame.Ping, nil)

// Beat implements Framing.
func (webSocket) Beat() []byte { return pingFrame }

// Close implements Framing.
func (webSocket) Close(dst []byte, code protocol.CloseCode, h protocol.Hint) []byte {
	var reason string
	if h.RetryAfter == 0 && h.Spread == 0 {
		// A reason that is not UTF-8, or half a character at its end, would be a fault of the protocol.
		reason = strings.ToValidUTF8(h.Reason[:min(len(h.Reason), protocol.MaxReason)], "")
	} else {
		reason = string(protocol.AppendHint(nil, h))
	}
	return frame.AppendClose(dst, uint16(code), reason)
}
