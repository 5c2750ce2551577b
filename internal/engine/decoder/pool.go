package decoder

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// Pool lends Decoders.
type Pool struct {
	limit   int
	forging http.Header // of the handshake by which Decoders are made
	idle    sync.Pool   // of *Decoder
	readers sync.Pool   // of *bufio.Reader
}

// NewPool makes a pool whose Decoders read messages of at most limit bytes. The error says that this version of gorilla
// does not take the handshake by which Decoders are made: no idle connection could be read.
func NewPool(limit int) (*Pool, error) {
	return newPool(limit, http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"AAAAAAAAAAAAAAAAAAAAAA=="},
	})
}

func newPool(limit int, forging http.Header) (*Pool, error) {
	p := &Pool{limit: limit, forging: forging}
	d, err := p.forge()
	if err != nil {
		return nil, err
	}
	p.idle.Put(d)
	return p, nil
}

// Get lends a Decoder to owner. compress says whether permessage-deflate was negotiated.
func (p *Pool) Get(owner Owner, compress bool) *Decoder {
	d, ok := p.idle.Get().(*Decoder)
	if !ok {
		var err error
		if d, err = p.forge(); err != nil {
			panic(err) // NewPool has made one in the same way
		}
	}
	d.compress = compress
	d.peer.attach(owner)
	return d
}

// GetWith is Get if bytes have been read from the connection already. They are not kept beyond the first Wait.
func (p *Pool) GetWith(owner Owner, compress bool, early []byte) *Decoder {
	d := p.Get(owner, compress)
	d.peer.early = early
	return d
}

// Put takes a Decoder back, whatever has become of it: what another connection could not use is dropped. An error says that
// the connection has failed.
func (p *Pool) Put(d *Decoder) error {
	d.hold(0)
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
	p.idle.Put(d)
	return nil
}

// forge makes a Decoder without a connection, by a handshake with nobody.
func (p *Pool) forge() (*Decoder, error) {
	d := p.blank()
	d.peer.owner = nobody{}
	u := &websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	Configure(u)
	f := &forger{decoder: d, writer: writers.Get().(*bufio.Writer), refusal: make(http.Header)}
	var err error
	if d.ws, err = u.Upgrade(f, &http.Request{Method: http.MethodGet, Header: p.forging}, nil); err != nil {
		return nil, fmt.Errorf("decoder: gorilla refuses the handshake by which decoders are made: %w", err)
	}
	d.peer.response = nil
	writers.Put(f.writer)
	return d, nil
}

// forger takes the answer to a handshake with nobody.
type forger struct {
	decoder *Decoder
	writer  *bufio.Writer
	refusal http.Header
}

func (f *forger) Header() http.Header         { return f.refusal }
func (f *forger) Write(p []byte) (int, error) { return len(p), nil }
func (f *forger) WriteHeader(int)             {}

func (f *forger) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return &f.decoder.peer, bufio.NewReadWriter(f.decoder.reader(), f.writer), nil
}

type nobody struct{}

func (nobody) NetConn() net.Conn      { return nil }
func (nobody) WriteWire([]byte) error { return nil }
func (nobody) Ping([]byte) error      { return nil }
func (nobody) Pong()                  {}
func (nobody) Holds(int)              {}
