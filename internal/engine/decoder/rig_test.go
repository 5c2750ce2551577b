package decoder

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gorilla/websocket"
)

const limit = 64 << 10

// poolOf is a pool of this version of gorilla, which takes what NewPool asks of it.
func poolOf(limit int) *Pool {
	p, err := NewPool(limit)
	if err != nil {
		panic(err)
	}
	return p
}

// link notes what its Decoder reports, in order.
type link struct {
	conn    net.Conn
	events  []string
	written bytes.Buffer
	pingErr error
	holds   []int
}

func (l *link) NetConn() net.Conn { return l.conn }

func (l *link) WriteWire(p []byte) error {
	l.written.Write(p)
	return nil
}

func (l *link) Ping(p []byte) error {
	l.events = append(l.events, fmt.Sprintf("ping %q", p))
	return l.pingErr
}

func (l *link) Pong() { l.events = append(l.events, "pong") }

func (l *link) Holds(n int) { l.holds = append(l.holds, n) }

// closeFrames lists the codes of the close frames that were written, and nothing else may have been.
func (l *link) closeFrames(t testing.TB) (codes []int) {
	t.Helper()
	for rest := l.written.Bytes(); len(rest) > 0; {
		if rest[0] != 0x80|frame.Close || len(rest) < 4 {
			t.Fatalf("not a close frame: %q", rest)
		}
		codes = append(codes, int(binary.BigEndian.Uint16(rest[2:])))
		rest = rest[2+rest[1]:]
	}
	return codes
}

// readAll decodes until an error, and returns the events, with messages among them.
func (l *link) readAll(d *Decoder) ([]string, error) {
	for {
		if ok, err := d.Wait(0); !ok || err != nil {
			return l.events, err
		}
		opcode, p, err := d.Next(time.Hour)
		if err != nil {
			return l.events, err
		}
		if opcode != Ping && opcode != Pong {
			l.events = append(l.events, message(opcode, p))
		}
	}
}

func message(opcode int, p []byte) string { return fmt.Sprintf("message %d %q", opcode, p) }

// stream is a connection that what is to be read comes from, and that has no deadlines.
type stream struct {
	io.Reader
	net.Conn
	deadline time.Time
}

func (s *stream) Read(p []byte) (int, error) { return s.Reader.Read(p) }

func (s *stream) SetReadDeadline(t time.Time) error {
	s.deadline = t
	return nil
}

func linkTo(r io.Reader) *link { return &link{conn: &stream{Reader: r}} }

// chunks reads in pieces of a size.
type chunks struct {
	io.Reader
	size int
}

func (c chunks) Read(p []byte) (int, error) { return c.Reader.Read(p[:min(len(p), c.size)]) }

const (
	fin  = 0x80
	rsv1 = 0x40
)

// clientFrame is a frame as a client sends it; b0 is its first byte.
func clientFrame(b0 byte, payload []byte) []byte {
	wire := frame.Append(nil, 0, payload)
	wire[0] = b0
	h := len(wire) - len(payload)
	wire[1] |= 0x80
	key := [4]byte{0xde, 0xad, 0xbe, 0xef}
	wire = slices.Insert(wire, h, key[:]...)
	for i := range payload {
		wire[h+4+i] ^= key[i&3]
	}
	return wire
}

func text(s string) []byte { return clientFrame(fin|frame.Text, []byte(s)) }

// deflated is the payload of a compressed message.
func deflated(t testing.TB, p []byte) []byte {
	t.Helper()
	d, err := frame.NewDeflater(6)
	if err != nil {
		t.Fatal(err)
	}
	wire := d.Append(nil, frame.Binary, p)
	switch wire[1] {
	case 126:
		return wire[4:]
	case 127:
		return wire[frame.MaxHeader:]
	}
	return wire[2:]
}

// gorilla is a gorilla server connection that reads from r, and what it reported.
func gorilla(t testing.TB, r io.Reader, compress bool, l *link) *websocket.Conn {
	t.Helper()
	u := websocket.Upgrader{EnableCompression: compress}
	ws, err := u.Upgrade(&hijacked{conn: &written{stream: stream{Reader: r}, to: l}}, handshake(), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.written.Reset() // the handshake
	ws.SetReadLimit(limit)
	ws.SetPingHandler(func(s string) error { return l.Ping([]byte(s)) })
	ws.SetPongHandler(func(string) error { l.Pong(); return nil })
	return ws
}

func handshake() *http.Request {
	return &http.Request{Method: http.MethodGet, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":        {"AAAAAAAAAAAAAAAAAAAAAA=="},
		"Sec-Websocket-Extensions": {"permessage-deflate"},
	}}
}

// written is a stream that notes what is written to it.
type written struct {
	stream
	to *link
}

func (w *written) Write(p []byte) (int, error)      { return len(p), w.to.WriteWire(p) }
func (w *written) SetDeadline(time.Time) error      { return nil }
func (w *written) SetWriteDeadline(time.Time) error { return nil }

type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}
