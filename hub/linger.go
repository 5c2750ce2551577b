package hub

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// ending is a Conn that is being closed: its close frame, its reader's last steps, and its teardown.
type ending Conn

// failed ends the connection because its reader got err.
func (e *ending) failed(err error) {
	c := (*Conn)(e)
	ce, closes := errors.AsType[*websocket.CloseError](err)
	switch {
	case closes && ce.Code != websocket.CloseAbnormalClosure:
		// gorilla has answered with a close frame, or this is the answer to ours.
		if c.state.has(tapped) {
			c.showFrame(frame.Close, websocket.FormatCloseMessage(ce.Code, ce.Text))
		}
		e.drain()
		c.abortAndWait(&CloseError{Code: protocol.CloseCode(ce.Code), Reason: ce.Text})
	case errors.Is(err, decoder.ErrTooLarge):
		c.closeWith(&CloseError{Code: protocol.CloseTooBig, Reason: "message too large", Err: err})
		e.linger()
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.closeWith(&CloseError{Code: protocol.CloseReconnect, Reason: "message took too long", Err: err})
		e.linger()
	case errors.Is(err, net.ErrClosed):
		// This side has closed the socket, and the code that did knows why: see abort and WriterFailed.
	case errors.Is(err, io.EOF), closes, isNetError(err):
		c.abortAndWait(&CloseError{Code: protocol.CloseAbnormal, Err: err})
	default:
		// A fault of the WebSocket protocol: gorilla has said so in a close frame, after which
		// another one is not sent.
		c.closeWith(&CloseError{Code: protocol.CloseProtocolError, Err: err})
		e.linger()
	}
}

// drain waits until the socket has taken the backlog, at most for the close timeout.
func (e *ending) drain() {
	if n, _ := e.writer.Backlog(); n == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.hub.conf.closeTimeout)
	defer cancel()
	_ = e.writer.Drained(ctx) // an error means that it will not get there
}

func isNetError(err error) bool {
	var ne net.Error
	var se *os.SyscallError
	return errors.As(err, &ne) || errors.As(err, &se)
}

// lingerBytes bounds how much of a refused client's data is read and thrown away. It exceeds the files that people send
// by mistake: a client that never learns of the 1009 reconnects and sends the file again.
const lingerBytes = 16 << 20

// linger reads on for a while and throws away what comes, so that the close frame is not lost. A socket that is closed
// with unread data in it is reset, and the client may then never see what was sent last.
//
// linger also ends the sending side after the close frame. A client that has got both closes its side at once.
func (e *ending) linger() {
	e.drain()
	if half, ok := e.writer.Conn().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // an error means that it is closed already
	}
	if err := e.writer.Conn().SetReadDeadline(time.Now().Add(e.hub.conf.closeTimeout)); err == nil {
		e.discard()
	}
	(*Conn)(e).abortAndWait(nil)
}

// discard reads until the client has answered the close frame or is gone, but not without end.
func (e *ending) discard() {
	c := (*Conn)(e)
	c.mu.Lock()
	why, _ := errors.AsType[*CloseError](c.more().cause)
	c.mu.Unlock()
	buf := make([]byte, 4<<10)
	for kept, total := 0, 0; total < lingerBytes; {
		n, err := c.writer.Conn().Read(buf[kept:])
		if err != nil || why != nil && endsInClose(buf[:kept+n], why.Code) {
			return
		}
		total += n
		kept = copy(buf, buf[max(0, kept+n-maxCloseFrame):kept+n]) // the answer may come in pieces
	}
}

// maxCloseFrame is the length of the longest close frame of a client: header, mask, payload.
const maxCloseFrame = 2 + 4 + frame.MaxControl

// endsInClose reports whether p ends in a client's close frame that carries a code. It searches from the end, because
// the frames before may be broken, and a client sends nothing after its close frame.
func endsInClose(p []byte, code protocol.CloseCode) bool {
	for n := 2; n <= frame.MaxControl && n+6 <= len(p); n++ {
		f := p[len(p)-n-6:]
		if f[0] == 0x80|frame.Close && f[1] == 0x80|byte(n) &&
			uint16(f[6]^f[2])<<8|uint16(f[7]^f[3]) == uint16(code) {
			return true
		}
	}
	return false
}
