package decoder

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gorilla/websocket"
)

// loop repeats a message for ever.
type loop struct {
	wire []byte
	at   int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.wire[l.at:])
	l.at = (l.at + n) % len(l.wire)
	return n, nil
}

func BenchmarkNext(b *testing.B) {
	for _, bm := range []struct {
		name     string
		compress bool
		wire     []byte
	}{
		{"100B", false, clientFrame(fin|frame.Text, make([]byte, 100))},
		{"4KiB", false, clientFrame(fin|frame.Text, make([]byte, 4<<10))},
		{"compressed", true, clientFrame(fin|rsv1|frame.Text, deflated(b, []byte(strings.Repeat("hello ", 50))))},
		{"ping", false, clientFrame(fin|frame.Ping, nil)},
		{"pong", false, clientFrame(fin|frame.Pong, nil)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			l := &quietLink{conn: &stream{Reader: &loop{wire: bm.wire}}}
			d := poolOf(limit).Get(l, bm.compress)
			b.SetBytes(int64(len(bm.wire)))
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := d.Wait(time.Second); !ok || err != nil {
					b.Fatal(ok, err)
				}
				if _, _, err := d.Next(time.Minute); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBorrow is what an idle connection does that gets one message: a Decoder is lent, reads and is given
// back.
func BenchmarkBorrow(b *testing.B) {
	pool := poolOf(limit)
	wire := text("hello")
	r := bytes.NewReader(wire)
	l := &quietLink{conn: &stream{Reader: r}}
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(wire)
		d := pool.Get(l, false)
		if ok, err := d.Wait(0); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if _, _, err := d.Next(time.Minute); err != nil {
			b.Fatal(err)
		}
		if err := pool.Put(d); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkForge is what a Decoder costs where the pool has none.
func BenchmarkForge(b *testing.B) {
	pool := poolOf(limit)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pool.forge(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpgrade is a handshake of which the socket and the HTTP server's part are left out, and the end of the
// connection, to which nothing was sent.
func BenchmarkUpgrade(b *testing.B) {
	pool := poolOf(limit)
	u := &websocket.Upgrader{}
	Configure(u)
	conn := &written{stream: stream{Reader: bytes.NewReader(nil)}}
	w := &rehijacked{conn: conn, rw: bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))}
	r, l := handshake(), &quietLink{conn: conn}
	attach := func(net.Conn) Owner { return l }
	b.ReportAllocs()
	for b.Loop() {
		d, err := pool.Upgrade(u, w, r, nil, false, attach)
		if err != nil {
			b.Fatal(err)
		}
		if err := pool.Put(d); err != nil {
			b.Fatal(err)
		}
	}
}

// rehijacked is hijacked over and over.
type rehijacked struct {
	http.ResponseWriter
	conn net.Conn
	rw   *bufio.ReadWriter
}

func (h *rehijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.conn, h.rw, nil }

// quietLink takes everything and notes nothing.
type quietLink struct{ conn net.Conn }

func (l *quietLink) NetConn() net.Conn    { return l.conn }
func (*quietLink) WriteWire([]byte) error { return nil }
func (*quietLink) Ping([]byte) error      { return nil }
func (*quietLink) Pong()                  {}
func (*quietLink) Holds(int)              {}
