// Package decoder reads WebSocket messages with gorilla/websocket, without giving every connection a
// gorilla Conn to keep.
//
// Between two messages a gorilla server connection holds no state that matters: no context takeover, no
// half-read frame. A connection therefore borrows a [Decoder] from a [Pool] while it has something to read, and
// returns it when it becomes idle. The gorilla connection inside uses a net.Conn of this package, whose other end
// is switched to the borrower. Bytes that gorilla writes itself (the handshake's response, close frames) go to the
// borrower's writer.
//
// Waiting for a message happens below gorilla, in the buffer that it reads from, so that a timeout never
// reaches gorilla. Pings and pongs between messages are read there too.
package decoder
