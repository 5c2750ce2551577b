package decoder

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gorilla/websocket"
)

// TestReuse lends Decoders to one connection after another; nothing of one is seen by the next.
func TestReuse(t *testing.T) {
	long := strings.Repeat("long message ", 3000) // makes a buffer that is not kept
	pool := poolOf(limit)
	for i := range 90 {
		compress := i%3 == 0
		var wire bytes.Buffer
		var want []string
		if i%2 == 0 {
			wire.Write(clientFrame(frame.Text, []byte("frag")))
			wire.Write(clientFrame(fin|frame.Ping, []byte("inside")))
			wire.Write(clientFrame(fin, []byte("ment")))
			want = append(want, `ping "inside"`, message(1, []byte("fragment")))
		}
		if i%5 == 0 {
			wire.Write(text(long))
			want = append(want, message(1, []byte(long)))
		}
		if compress {
			wire.Write(clientFrame(fin|rsv1|frame.Binary, deflated(t, []byte(long))))
			want = append(want, message(2, []byte(long)))
		}
		wire.Write(clientFrame(fin|frame.Pong, nil))
		want = append(want, "pong")
		l := linkTo(&wire)
		d := pool.Get(l, compress)
		if d.Compressed() != compress {
			t.Fatalf("Compressed() = %v, want %v", d.Compressed(), compress)
		}
		for wire.Len() > 0 || d.Buffered() > 0 {
			if ok, err := d.Wait(time.Second); !ok || err != nil {
				t.Fatal(ok, err)
			}
			opcode, p, err := d.Next(time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if opcode != Ping && opcode != Pong {
				l.events = append(l.events, message(opcode, p))
			}
		}
		if !slices.Equal(l.events, want) {
			t.Fatalf("connection %d: %.200q, want %.200q", i, l.events, want)
		}
		if err := pool.Put(d); err != nil {
			t.Fatal(err)
		}
		if deadline := l.conn.(*stream).deadline; !deadline.IsZero() {
			t.Fatalf("connection %d was left with a deadline", i)
		}
		if cap(d.buf) > keepBuffer || cap(d.plain) > keepBuffer {
			t.Fatalf("buffers of %d and %d bytes were kept", cap(d.buf), cap(d.plain))
		}
	}
}

// TestPlainRefusesCompressed has a Decoder of a compressed connection not serve a plain one.
func TestPlainRefusesCompressed(t *testing.T) {
	pool := poolOf(limit)
	compressed := clientFrame(fin|rsv1|frame.Text, deflated(t, []byte("x")))
	for range 20 {
		for _, compress := range []bool{true, false} {
			l := linkTo(bytes.NewReader(compressed))
			d := pool.Get(l, compress)
			opcode, p, err := d.Next(time.Minute)
			if compress {
				if opcode != frame.Text || string(p) != "x" || err != nil {
					t.Fatalf("compressed connection: %d, %q, %v", opcode, p, err)
				}
				if err := pool.Put(d); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if codes := l.closeFrames(t); err == nil || !slices.Equal(codes, []int{1002}) {
				t.Fatalf("plain connection: %q, %v, close frames %v", p, err, codes)
			}
		}
	}
}

func TestPutOfAClosedConnection(t *testing.T) {
	conn, peer := net.Pipe()
	defer func() { _ = peer.Close() }()
	pool := poolOf(limit)
	d := pool.Get(&link{conn: conn}, false)
	if ok, err := d.Wait(time.Millisecond); ok || err != nil { // sets a deadline
		t.Fatal(ok, err)
	}
	_ = conn.Close()
	if err := pool.Put(d); err == nil {
		t.Error("no error")
	}
}

// socketLink is a link whose writes reach its connection.
type socketLink struct{ link }

func (l *socketLink) WriteWire(p []byte) error {
	_, err := l.conn.Write(p)
	return err
}

// server upgrades what it is asked to, and hands over what came of it.
func server(t *testing.T, pool *Pool, compress bool) (url string, upgraded <-chan upgrade) {
	t.Helper()
	u := &websocket.Upgrader{}
	Configure(u)
	c := make(chan upgrade, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := upgrade{}
		up.d, up.err = pool.Upgrade(u, w, r, http.Header{"X-Test": {"yes"}}, compress, func(conn net.Conn) Owner {
			up.l = &socketLink{link{conn: conn}}
			return up.l
		})
		c <- up
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http"), c
}

type upgrade struct {
	d   *Decoder
	l   *socketLink
	err error
}

func TestUpgrade(t *testing.T) {
	for _, tt := range []struct {
		name           string
		server, client bool
	}{{"plain", false, false}, {"server compresses", true, false}, {"client compresses", false, true}, {"compressed", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			pool := poolOf(limit)
			url, upgraded := server(t, pool, tt.server)
			for i := range 5 { // the buffers of one serve the next
				dialer := websocket.Dialer{EnableCompression: tt.client}
				ws, resp, err := dialer.Dial(url, nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.Header.Get("X-Test") != "yes" {
					t.Error("the header is missing")
				}
				up := <-upgraded
				if up.err != nil {
					t.Fatal(up.err)
				}
				d := up.d
				if got, want := d.Compressed(), tt.server && tt.client; got != want {
					t.Errorf("Compressed() = %v, want %v", got, want)
				}
				if i > 2 { // as a connection does that is idle at first
					compressed := d.Compressed()
					if err := pool.Put(d); err != nil {
						t.Fatal(err)
					}
					d = pool.Get(up.l, compressed)
				}
				for _, want := range []string{"hello", "", strings.Repeat("again", 5000)} {
					if err := ws.WriteMessage(websocket.TextMessage, []byte(want)); err != nil {
						t.Fatal(err)
					}
					if ok, err := d.Wait(0); !ok || err != nil {
						t.Fatal(ok, err)
					}
					if opcode, p, err := d.Next(time.Minute); opcode != websocket.TextMessage || string(p) != want || err != nil {
						t.Fatalf("%d, %.40q, %v; want %.40q", opcode, p, err, want)
					}
				}
				if err := pool.Put(d); err != nil {
					t.Error(err)
				}
				_ = ws.Close()
				_ = up.l.conn.Close()
			}
		})
	}
}

// TestUpgradeWithEarlyData: what comes in one packet with the handshake is read.
func TestUpgradeWithEarlyData(t *testing.T) {
	url, upgraded := server(t, poolOf(limit), false)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const handshake = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	if _, err := conn.Write(append([]byte(handshake), text("early")...)); err != nil {
		t.Fatal(err)
	}
	up := <-upgraded
	if up.err != nil || !up.d.Early() {
		t.Fatalf("%v, early: %t", up.err, up.d.Early())
	}
	defer func() { _ = up.l.conn.Close() }()
	if ok, err := up.d.Wait(0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if opcode, p, err := up.d.Next(time.Minute); opcode != websocket.TextMessage || string(p) != "early" || err != nil || up.d.Early() {
		t.Errorf("%d, %q, %v", opcode, p, err)
	}
}

func TestUpgradeRefuses(t *testing.T) {
	t.Run("what is no handshake", func(t *testing.T) {
		url, upgraded := server(t, poolOf(limit), false)
		resp, err := http.Get("http" + strings.TrimPrefix(url, "ws"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if up := <-upgraded; up.err == nil || up.l != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%v, hijacked: %v, status %d", up.err, up.l != nil, resp.StatusCode)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Run("a server that cannot be hijacked", func(t *testing.T) {
		u := &websocket.Upgrader{}
		Configure(u)
		w := httptest.NewRecorder()
		_, err := poolOf(limit).Upgrade(u, w, handshake(), nil, false, func(net.Conn) Owner { t.Error("hijacked"); return nil })
		if err == nil || w.Code != http.StatusInternalServerError {
			t.Errorf("%v, status %d", err, w.Code)
		}
	})
	t.Run("when the response cannot be written", func(t *testing.T) {
		u := &websocket.Upgrader{}
		Configure(u)
		r, w := handshake(), &hijacked{conn: &written{stream: stream{Reader: strings.NewReader("")}}}
		closed := &closing{Conn: w.conn}
		w.conn = closed
		_, err := poolOf(limit).Upgrade(u, w, r, nil, false, func(c net.Conn) Owner { return &brokenLink{link{conn: c}} })
		if !errors.Is(err, io.ErrClosedPipe) || !closed.closed {
			t.Errorf("%v, closed: %v", err, closed.closed)
		}
	})
}

// brokenLink writes nothing.
type brokenLink struct{ link }

func (*brokenLink) WriteWire([]byte) error { return io.ErrClosedPipe }

type closing struct {
	net.Conn
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// A handshake that gorilla does not take is found when the pool is made, and not by the first idle connection.
func TestNewPoolWithChangedHandshake(t *testing.T) {
	p, err := newPool(limit, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"14"}})
	var refusal websocket.HandshakeError
	if p != nil || !errors.As(err, &refusal) {
		t.Fatalf("%v, %v, want gorilla's refusal", p, err)
	}
}
