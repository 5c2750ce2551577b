package decoder

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gorilla/websocket"
)

// Upgrade answers a handshake and lends the Decoder that the new connection's owner may begin with. hijacked is
// called with the connection before anything is written to it. After an error the response has been
// written if there was still one to write. deflate agrees to permessage-deflate if the client offers what can be
// kept to. What the client has sent with its handshake is the first that the Decoder reads: see Early.
//
// It is called far down on the stack of a goroutine of the HTTP server, which has to be copied if it outgrows 4 KiB. So
// frames are kept small, and what gorilla writes is sent when gorilla has returned.
func (p *Pool) Upgrade(u *websocket.Upgrader, w http.ResponseWriter, r *http.Request, header http.Header, deflate bool,
	hijacked func(net.Conn) Owner,
) (*Decoder, error) {
	h := &hijacker{ResponseWriter: w, decoder: p.blank(), hijacked: hijacked}
	h.rw.Writer = writers.Get().(*bufio.Writer)
	if deflate {
		h.decoder.peer.extension = negotiate(r.Header)
		h.decoder.compress = h.decoder.peer.extension != ""
	}
	var err error
	if h.decoder.ws, err = u.Upgrade(h, r, header); err == nil {
		err = h.decoder.peer.respond()
	}
	if h.failed != nil {
		err = h.failed
	}
	h.rw.Writer.Reset(nil)
	writers.Put(h.rw.Writer)
	return h.decoder, err
}

// blank makes a Decoder that has yet to get a connection of gorilla's.
func (p *Pool) blank() *Decoder {
	d := &Decoder{limit: p.limit}
	var ok bool
	if d.br, ok = p.readers.Get().(*bufio.Reader); !ok {
		d.br = bufio.NewReaderSize(nil, readBuffer)
	}
	return d
}

// writers hold the buffers that gorilla builds responses in; one that is longer gets another.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 512) }}

// writeBuffers keeps gorilla from giving every connection a buffer to write messages with, which it is never
// asked to do.
var writeBuffers sync.Pool

// Configure sets what Upgrade needs of an Upgrader.
func Configure(u *websocket.Upgrader) {
	u.ReadBufferSize, u.WriteBufferSize, u.WriteBufferPool = 0, 0, &writeBuffers
}

// hijacker gives gorilla the pool's own connection and buffers in place of the server's.
type hijacker struct {
	http.ResponseWriter
	decoder  *Decoder
	rw       bufio.ReadWriter
	hijacked func(net.Conn) Owner
	failed   error
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		h.failed = err // gorilla keeps no more of it than its text
		return nil, nil, err
	}
	conn = netpoll.Bare(conn)
	// Deadlines of the HTTP server do not apply any more.
	if err := conn.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	h.decoder.peer.attach(h.hijacked(conn))
	if n := rw.Reader.Buffered(); n > 0 {
		h.decoder.peer.keepEarly(rw.Reader, n)
	}
	h.rw.Reader = h.decoder.reader()
	return &h.decoder.peer, &h.rw, nil
}

// reader is the buffer that gorilla reads from.
//
//go:noinline
func (d *Decoder) reader() *bufio.Reader {
	d.br.Reset(&d.peer) // inlined into Hijack, it would take 100 bytes of stack
	return d.br
}
