// Package decoder reads WebSocket messages with gorilla/websocket, without giving every connection a
// gorilla Conn to keep.
//
// Between two messages a gorilla server connection holds no state that matters: no context takeover, no
// half-read frame. So a connection borrows a [Decoder] from a [Pool] while it has something to read and
// gives it back when it falls idle. The gorilla connection inside stands on a net.Conn of this package's,
// whose other end is switched to whoever borrowed it: what gorilla writes of its own accord (the
// handshake's response, close frames) goes to the borrower's writer.
//
// Waiting for a message happens below gorilla, in the buffer it reads from, so that a wait that times
// out never reaches it. Pings and pongs between messages are taken there too.
package decoder
