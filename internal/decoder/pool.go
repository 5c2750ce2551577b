package decoder

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Pool lends Decoders.
type Pool struct {
	limit   int
	idle    [2]sync.Pool // plain, and with permessage-deflate
	readers sync.Pool    // of *bufio.Reader
}

// NewPool makes a pool whose Decoders read messages of at most limit bytes.
func NewPool(limit int) *Pool { return &Pool{limit: limit} }

// Get lends a Decoder to link. compress says whether permessage-deflate was negotiated.
func (p *Pool) Get(link Link, compress bool) *Decoder {
	d, ok := p.idle[index(compress)].Get().(*Decoder)
	if !ok {
		d = p.forge(compress)
	}
	d.peer.attach(link)
	return d
}

// GetWith is Get where bytes have been read from the connection already. They are not kept beyond the first Wait.
func (p *Pool) GetWith(link Link, compress bool, early []byte) *Decoder {
	d := p.Get(link, compress)
	d.peer.early = early
	return d
}

// Put takes a Decoder back, whatever has become of it: what another connection could not use is dropped. An error says that
// the connection has failed.
func (p *Pool) Put(d *Decoder) error {
	if err := d.peer.detach(); err != nil {
		return err
	}
	if d.dirty || d.br.Buffered() > 0 {
		return nil
	}
	if !d.used {
		// A storm of handshakes would fill the pool with what nobody reads with, were it not for the
		// buffer, which the next handshake needs.
		p.readers.Put(d.br)
		return nil
	}
	if cap(d.buf) > keepBuffer {
		d.buf = nil
	}
	if cap(d.plain) > keepBuffer {
		d.plain = nil
	}
	p.idle[index(d.Compressed())].Put(d)
	return nil
}

func index(compress bool) int {
	if compress {
		return 1
	}
	return 0
}

// Upgrade answers a handshake and lends the Decoder that the new connection's link may begin with. hijacked is
// called with the connection before anything is written to it. After an error the response has been
// written where there was still one to write.
func (p *Pool) Upgrade(u *websocket.Upgrader, w http.ResponseWriter, r *http.Request, header http.Header,
	hijacked func(net.Conn) Link,
) (*Decoder, error) {
	d := &Decoder{limit: p.limit}
	h := &hijacker{ResponseWriter: w, decoder: d, hijacked: hijacked}
	return d, p.upgrade(d, u, h, r, header)
}

func (p *Pool) upgrade(d *Decoder, u *websocket.Upgrader, w http.ResponseWriter, r *http.Request, header http.Header) error {
	var ok bool
	if d.br, ok = p.readers.Get().(*bufio.Reader); !ok {
		d.br = bufio.NewReaderSize(nil, readBuffer)
	}
	ws, err := u.Upgrade(w, r, header)
	if err != nil {
		return err
	}
	ws.SetReadLimit(int64(p.limit))
	ws.SetPingHandler(func(s string) error { return d.peer.link.Ping([]byte(s)) })
	ws.SetPongHandler(func(string) error { d.peer.link.Pong(); return nil })
	d.ws = ws
	return nil
}

// writeBuffers keeps gorilla from giving every connection a buffer to write messages with, which it is never
// asked to do.
var writeBuffers sync.Pool

// Configure sets what Upgrade needs of an Upgrader.
func Configure(u *websocket.Upgrader) {
	u.ReadBufferSize, u.WriteBufferSize, u.WriteBufferPool = 0, 0, &writeBuffers
}

// hijacker gives gorilla the pool's own connection and buffer in place of the server's.
type hijacker struct {
	http.ResponseWriter
	decoder  *Decoder
	hijacked func(net.Conn) Link
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if rw.Reader.Buffered() > 0 {
		_ = conn.Close()
		return nil, nil, errors.New("websocket: client sent data before the handshake was complete")
	}
	// Deadlines of the HTTP server do not apply any more.
	if err := conn.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	d := h.decoder
	d.peer.attach(h.hijacked(conn))
	d.br.Reset(&d.peer)
	return &d.peer, bufio.NewReadWriter(d.br, rw.Writer), nil
}

// forge makes a Decoder without a connection, by a handshake with nobody.
func (p *Pool) forge(compress bool) *Decoder {
	d := &Decoder{limit: p.limit}
	d.peer.link = nobody{}
	u := &websocket.Upgrader{EnableCompression: compress, CheckOrigin: func(*http.Request) bool { return true }}
	Configure(u)
	r := &http.Request{Method: http.MethodGet, Header: http.Header{
		"Connection":               {"Upgrade"},
		"Upgrade":                  {"websocket"},
		"Sec-Websocket-Version":    {"13"},
		"Sec-Websocket-Key":        {"AAAAAAAAAAAAAAAAAAAAAA=="},
		"Sec-Websocket-Extensions": {"permessage-deflate"},
	}}
	if err := p.upgrade(d, u, &forger{decoder: d}, r, nil); err != nil {
		panic("decoder: " + err.Error()) // the handshake above is a constant
	}
	return d
}

type forger struct {
	http.ResponseWriter
	decoder *Decoder
}

func (f *forger) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	d := f.decoder
	d.br.Reset(&d.peer)
	return &d.peer, bufio.NewReadWriter(d.br, bufio.NewWriter(io.Discard)), nil
}

type nobody struct{}

func (nobody) NetConn() net.Conn      { return nil }
func (nobody) WriteWire([]byte) error { return nil }
func (nobody) Ping([]byte) error      { return nil }
func (nobody) Pong()                  {}
