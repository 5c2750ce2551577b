package client

import (
	"slices"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/protocol"
)

// WithCBOR makes the client ask for hubkit.v1.cbor, in which a binary payload is sent as it is rather than in base64. The
// default is JSON. If the server lacks hubkit.v1.cbor, the client uses JSON.
func WithCBOR() Option {
	return func(c *config) error {
		c.cbor = true
		return nil
	}
}

// Binary says that the data of a publication is bytes of any kind. By default it is a JSON value.
func Binary() PublishOption {
	return func(r *request) error {
		r.binary = true
		return nil
	}
}

func (c *config) subprotocols() []string {
	if c.cbor {
		return []string{protocol.SubprotocolCBOR, protocol.Subprotocol}
	}
	return []string{protocol.Subprotocol}
}

// speaks reports whether a connection has one of the subprotocols that were asked for.
func (c *config) speaks(ws *websocket.Conn) bool {
	return slices.Contains(c.subprotocols(), ws.Subprotocol())
}

// kind is that of the messages of the connection.
func (l *connection) kind() int {
	if l.cbor {
		return websocket.BinaryMessage
	}
	return websocket.TextMessage
}

// decode reads a frame of the server.
func (l *connection) decode(frame []byte) error {
	if l.cbor {
		return l.event.DecodeCBOR(frame)
	}
	return l.event.Decode(frame)
}

// decodeHead reads the beginning of a frame, without its data.
func (l *connection) decodeHead(head []byte) bool {
	if l.cbor {
		return l.event.DecodeHeadCBOR(head)
	}
	return l.event.DecodeHead(head)
}

// encoded is a frame of package protocol as the connection speaks it.
func (l *connection) encoded(frame []byte) []byte {
	if l.cbor {
		l.out = cbor.FromJSON(l.out[:0], frame)
		return l.out
	}
	return frame
}
