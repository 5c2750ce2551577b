package decoder

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gorilla/websocket"
)

// Owner is the connection that borrows a Decoder.
type Owner interface {
	// NetConn is read from.
	NetConn() net.Conn
	// WriteWire takes bytes that gorilla writes: the handshake's response, then whole control frames.
	// They are not kept.
	WriteWire(p []byte) error
	// Ping is called for a ping; the payload is not kept.
	Ping(payload []byte) error
	// Pong is called for a pong.
	Pong()
	// Holds is told how many bytes the connection makes the Decoder keep, beyond what it keeps for any connection: while a
	// message has arrived in part, and as long as the buffer of a large one is kept. Zero is the end of that.
	Holds(bytes int)
}

// ErrTooLarge is returned for a message longer than the limit, compressed or not. If the frame's header
// shows the length, gorilla has written a close frame already; a second one does no harm.
var ErrTooLarge = errors.New("decoder: message too large")

// Opcodes that Next returns besides websocket.TextMessage and websocket.BinaryMessage.
const (
	Ping = websocket.PingMessage
	Pong = websocket.PongMessage
)

// Decoder reads messages for one connection at a time, in one goroutine at a time.
type Decoder struct {
	ws       *websocket.Conn
	br       *bufio.Reader
	peer     peer
	limit    int
	compress bool // permessage-deflate was negotiated
	used     bool // a message was read with it
	ready    bool // gorilla knows what it has to know before it reads
	dirty    bool // gorilla has failed, or has read a message in part
	buf      []byte
	wire     int // what the last message took on the wire
	held     int // what the Owner was told last
	parts    fragments

	deflated bool   // the message that is being read
	plain    []byte // such a message's content
}

const (
	readBuffer = 4 << 10
	// overhead is what a message may take on the wire beyond twice the limit: the headers of its fragments, and the
	// control frames between them.
	overhead = 64 << 10
	// keepBuffer is the largest message buffer that goes back to the pool.
	keepBuffer = 16 << 10
	// reading is what it takes to wait for the rest of a message: a Decoder with its buffer, and the reader's goroutine.
	reading = 12 << 10
)

// Early reports whether bytes that were read before the Decoder was lent still wait in it.
func (d *Decoder) Early() bool { return len(d.peer.early) > 0 }

// Subprotocol is the one that the handshake chose; empty for none. It is known to the Decoder of Upgrade alone.
func (d *Decoder) Subprotocol() string { return d.ws.Subprotocol() }

// Buffered is how many bytes have been read from the socket and not been decoded yet. A connection
// may give the Decoder back only when there are none.
func (d *Decoder) Buffered() int { return d.br.Buffered() }

// Whole reports whether Next has nothing to wait for: the next frame is there as a whole. It may be wrong if it says no.
func (d *Decoder) Whole() bool {
	const fin, mask = 0x80, 0x80
	p, _ := d.br.Peek(d.br.Buffered())
	if len(p) < 2 || p[0]&fin == 0 {
		return false
	}
	n, at := int(p[1])&^mask, 2
	if n == 126 && len(p) >= 4 {
		n, at = int(binary.BigEndian.Uint16(p[2:])), 4
	} else if n >= 126 {
		return false
	}
	return len(p) >= at+4+n
}

// Closing reports whether a close frame is the next to be decoded, as far as it has been read from the socket.
func (d *Decoder) Closing() bool {
	if d.br.Buffered() == 0 {
		return false
	}
	head, err := d.br.Peek(1)
	return err == nil && head[0]&0xf == frame.Close
}

// Compressed reports whether permessage-deflate was negotiated.
func (d *Decoder) Compressed() bool { return d.compress }

// AtOnce is a time to linger that is over: Wait does not block, and finds only what has been read from the socket.
const AtOnce = time.Nanosecond

// Wait blocks until there is something to decode, for at most linger if that is positive. It
// returns false after that time.
func (d *Decoder) Wait(linger time.Duration) (bool, error) {
	if d.br.Buffered() > 0 {
		return true, nil
	}
	if err := d.peer.allow(linger); err != nil {
		return false, err
	}
	if _, err := d.br.Peek(1); err != nil {
		if linger > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// Next decodes what has begun to arrive: one message, or one ping or pong. The rest of a
// message must come within timeout. The payload is valid until the next call.
func (d *Decoder) Next(timeout time.Duration) (opcode int, payload []byte, err error) {
	d.used = true
	before := d.br.Buffered()
	d.peer.message(timeout, 2*d.limit+overhead)
	opcode, payload, err = d.next()
	d.complete()
	d.wire = before + d.peer.read - d.br.Buffered()
	return opcode, payload, err
}

// Wire is what Next has taken of the socket's bytes last, if it failed too.
func (d *Decoder) Wire() int { return d.wire }

// Size is the size of what Next returned last: what it took on the wire, headers and the control frames within it
// included, or its decompressed size if that is more.
func (d *Decoder) Size() int {
	if d.deflated {
		return max(d.wire, len(d.plain))
	}
	return d.wire
}

// hold tells the Owner what the Decoder keeps for it.
func (d *Decoder) hold(n int) {
	if n != d.held {
		d.held = n
		d.peer.owner.Holds(n)
	}
}

// incomplete is called before the rest of a message is waited for.
func (d *Decoder) incomplete() { d.grown(cap(d.buf)) }

// grown is called when the buffer of a message has another size.
func (d *Decoder) grown(size int) { d.hold(reading + size) }

// complete is called when a message is there. What was kept for it may stay until the Decoder is given back.
func (d *Decoder) complete() {
	if d.held == 0 {
		return
	}
	n := 0
	if cap(d.buf) > keepBuffer {
		n = cap(d.buf)
	}
	d.hold(n)
}

func (d *Decoder) next() (opcode int, payload []byte, err error) {
	if opcode, payload, err = d.whole(); opcode != 0 || err != nil {
		return opcode, payload, err
	}
	d.dirty = true
	d.incomplete()
	d.prepare()
	if err = d.parts.begin(d); err != nil {
		return 0, nil, failed(cutShort(err))
	}
	if opcode, d.parts.reader, err = d.ws.NextReader(); err != nil {
		return 0, nil, failed(err)
	}
	if d.buf, err = readAll(&d.parts, d.buf[:0], d.limit, d.grown); err != nil {
		return 0, nil, failed(err)
	}
	d.dirty = false
	if !d.deflated {
		return opcode, d.buf, nil
	}
	if d.plain, d.buf, err = inflate(d.plain[:0], d.buf, d.limit); err != nil {
		if errors.Is(err, errCorrupt) {
			d.dirty = true // gorilla writes nothing after a close frame
			// Gorilla, which tells the other side of faults in the protocol, does not know of this one.
			message := websocket.FormatCloseMessage(websocket.CloseProtocolError, "corrupt compressed data")
			_ = d.ws.WriteControl(websocket.CloseMessage, message, time.Time{})
		}
		return 0, nil, err
	}
	return opcode, d.plain, nil
}

// prepare tells gorilla what it has to know before it reads, which most of its connections never do.
func (d *Decoder) prepare() {
	if d.ready {
		return
	}
	d.ready = true
	d.ws.SetReadLimit(int64(d.limit))
	d.ws.SetPingHandler(func(s string) error { return d.peer.owner.Ping([]byte(s)) })
	d.ws.SetPongHandler(func(string) error { d.peer.owner.Pong(); return nil })
}

// readAll appends what r has to buf. Of more than limit bytes it reads hardly more. The buffer grows with what has arrived, and
// not with a length that is announced, by a quarter once it is large; grown, unless it is nil, is told its new size.
func readAll(r io.Reader, buf []byte, limit int, grown func(size int)) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
			if grown != nil {
				grown(cap(buf))
			}
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, ErrTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// whole takes from the buffer a faultless ping, pong or close frame, or a faultless message of one frame that is there as a
// whole, which nearly all are. Everything else is gorilla's to judge, but from a compressed message it takes the mark. Gorilla
// does not know of the compression: it takes every other mark for the fault that it is, and leaves the message compressed. The data can say that it ends before the message does, and gorilla would then not read the rest before
// it is asked for the next message, which may be another connection's.
func (d *Decoder) whole() (opcode int, payload []byte, err error) {
	const fin, rsv1, mask = 0x80, 0x40, 0x80
	if d.br.Buffered() < 2 {
		d.incomplete()
	}
	head, err := d.br.Peek(2)
	if err != nil {
		return 0, nil, err
	}
	opcode = int(head[0]) &^ fin
	d.deflated = d.Compressed() && (opcode == rsv1|websocket.TextMessage || opcode == rsv1|websocket.BinaryMessage)
	if d.deflated {
		head[0] &^= rsv1
		return 0, nil, nil
	}
	if head[0]&fin == 0 || head[1]&mask == 0 {
		return 0, nil, nil
	}
	n := int(head[1]) &^ mask
	switch opcode {
	case Ping, Pong, websocket.CloseMessage:
		return d.control(opcode, n)
	case websocket.TextMessage, websocket.BinaryMessage:
		return d.message(opcode, n)
	}
	return 0, nil, nil
}

// control takes a control frame whose header says n.
func (d *Decoder) control(opcode, n int) (int, []byte, error) {
	if n > 125 {
		return 0, nil, nil
	}
	if d.br.Buffered() < 6+n {
		d.incomplete()
	}
	p, err := d.br.Peek(6 + n)
	if err != nil {
		return 0, nil, err
	}
	key, payload := [4]byte(p[2:6]), p[6:]
	switch opcode {
	case Ping:
		unmask(payload, key)
		err = d.peer.owner.Ping(payload)
	case Pong:
		d.peer.owner.Pong()
	default:
		unmask(payload, key)
		if err = d.close(payload); err == nil {
			unmask(payload, key) // as it was
			return 0, nil, nil
		}
	}
	_, _ = d.br.Discard(len(p)) // they were peeked at
	return opcode, nil, err
}

// errCloseLength is a close frame whose payload ends within its code.
var errCloseLength = errors.New("decoder: close frame of one byte")

// close answers a close frame and returns a *websocket.CloseError; nil for one that is gorilla's to refuse. So gorilla, which
// reads nothing more after one, does not see it, and the Decoder can be lent again.
func (d *Decoder) close(payload []byte) error {
	code := websocket.CloseNoStatusReceived
	switch len(payload) {
	case 0:
	case 1: // gorilla would take it for an empty one
		return d.refuseClose()
	default:
		code = int(binary.BigEndian.Uint16(payload))
		if !mayBeSent(code) || !utf8.Valid(payload[2:]) {
			return nil
		}
	}
	d.answerClose(payload[:min(len(payload), 2)])
	ce := &websocket.CloseError{Code: code}
	if len(payload) > 2 {
		ce.Text = string(payload[2:])
	}
	return ce
}

// What follows is apart from close, whose goroutine has little stack left.

//go:noinline
func (d *Decoder) answerClose(code []byte) {
	var buf [2 + 2]byte
	// An error means that the other side does not hear the answer, which it has not waited for.
	_ = d.peer.owner.WriteWire(frame.Append(buf[:0], frame.Close, code))
}

//go:noinline
func (d *Decoder) refuseClose() error {
	_ = d.peer.owner.WriteWire(frame.AppendClose(nil, websocket.CloseProtocolError, "close frame of one byte"))
	return errCloseLength
}

// mayBeSent reports whether a close frame may carry a code (RFC 6455, section 7.4, and the IANA registry).
func mayBeSent(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// message takes a message whose header says n, if it is there. Its content stays where it is.
func (d *Decoder) message(opcode, n int) (int, []byte, error) {
	p, _ := d.br.Peek(d.br.Buffered())
	at := 2
	switch {
	case n == 126 && len(p) >= 4:
		if n, at = int(binary.BigEndian.Uint16(p[2:])), 4; n < 126 {
			return 0, nil, nil // a longer form than there need be
		}
	case n >= 126:
		return 0, nil, nil
	}
	size := at + 4 + n
	if n > d.limit || len(p) < size {
		return 0, nil, nil
	}
	payload := p[at+4 : size : size]
	unmask(payload, [4]byte(p[at:at+4]))
	_, _ = d.br.Discard(size)
	return opcode, payload, nil
}

func unmask(p []byte, key [4]byte) {
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= key[i&3]
	}
}

// failed makes of an error of gorilla's what Next returns.
func failed(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return ErrTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("decoder: %w", os.ErrDeadlineExceeded) // which gorilla hides
	}
	return err
}
