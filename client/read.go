package client

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

var (
	errBinary  = fmt.Errorf("%w: a frame of the wrong kind, text or binary", ErrProtocol)
	errNotText = fmt.Errorf("%w: text that is not UTF-8", ErrProtocol)
	errTooBig  = fmt.Errorf("%w: a message above the read limit", ErrProtocol)
)

// read hands on what the server sends until the connection ends.
func (l *connection) read() error {
	for {
		frame, err := l.readFrame()
		switch {
		case err == nil:
		case errors.Is(err, errTooBig):
			goOn, err := l.dropFrame(frame)
			switch {
			case err != nil:
				return err
			case !goOn:
				return l.drain()
			}
			continue
		default:
			return err
		}
		l.pulse.hear()
		if err := l.decode(frame); err != nil {
			return l.broken(frame, err)
		}
		if !l.handle(&l.event) {
			return l.drain()
		}
	}
}

// broken is what ends a connection over which a frame came that cannot be read.
func (l *connection) broken(frame []byte, err error) error {
	if !l.cbor && !utf8.Valid(frame) {
		return errNotText
	}
	return fmt.Errorf("%w: %w", ErrProtocol, err)
}

// drain waits, after goodbye, for the server's close frame.
func (l *connection) drain() error {
	for {
		if _, _, err := l.ws.NextReader(); err != nil {
			return readError(err)
		}
	}
}

// readFrame returns the next frame, which is valid until the next call. Of a frame above the read limit it returns the
// beginning and errTooBig, and the rest is still to be read from l.rest.
func (l *connection) readFrame() ([]byte, error) {
	kind, r, err := l.ws.NextReader()
	if err != nil {
		return nil, readError(err)
	}
	if kind != l.kind() {
		return nil, errBinary
	}
	l.c.counters.messagesIn.Add(1)
	const keep = 64 << 10 // of the buffer, from one frame to the next
	if cap(l.buf) == 0 || cap(l.buf) > keep {
		l.buf = make([]byte, 0, 4096)
	}
	l.buf = l.buf[:0]
	for {
		if len(l.buf) == cap(l.buf) {
			l.buf = append(l.buf, 0)[:len(l.buf)]
		}
		n, err := r.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		if int64(len(l.buf)) > l.c.config.readLimit {
			l.rest = r
			return l.buf, errTooBig
		}
		switch {
		case errors.Is(err, io.EOF):
			return l.buf, nil
		case err != nil:
			return nil, readError(err)
		}
		l.pulse.hear()
	}
}

func readError(err error) error {
	if e, ok := errors.AsType[*websocket.CloseError](err); ok && e.Code != websocket.CloseAbnormalClosure {
		hint, _ := protocol.ParseHint(e.Text)
		return &CloseError{Code: protocol.CloseCode(e.Code), Reason: e.Text, Hint: hint}
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return errTooBig
	}
	return fmt.Errorf("client: connection lost: %w", err)
}
