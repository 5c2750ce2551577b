package door

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/fdconn"
	"github.com/gohubkit/hubkit/internal/engine/sock"
	"github.com/gohubkit/hubkit/internal/engine/stack"
)

// exchange is a handshake that a handler answers. It is the handler's ResponseWriter, and its request's context.
type exchange struct {
	door       *door
	lobby      *lobby
	prev, next *exchange // in the lobby's list
	conn       *fdconn.Conn
	from       netip.AddrPort
	came       time.Duration
	head       *[]byte // what was read, until the exchange is over
	headEnd    int     // in it

	response response
	life     life
}

var heads = sync.Pool{New: func() any { return new([]byte) }}

// answer has the server's handler answer a handshake.
func (lb *lobby) answer(a arrival, p []byte, end int) {
	x := &exchange{door: lb.door, lobby: lb, from: a.from, came: a.came, headEnd: end}
	x.conn = fdconn.New(a.fd, a.from)
	lb.mu.Lock()
	closed := lb.closed
	if !closed {
		lb.busy.push(x)
	}
	lb.mu.Unlock()
	if closed { // net/http does not answer it either
		_ = x.conn.Close()
		return
	}
	x.head = heads.Get().(*[]byte)
	*x.head = append((*x.head)[:0], p...)
	go x.serve()
}

// serve is the exchange's goroutine.
func (x *exchange) serve() {
	stack.Reserve()
	returned := false
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // as package http compares it
			stack := make([]byte, 64<<10)
			stack = stack[:runtime.Stack(stack, false)]
			x.door.logf("http: panic serving %v: %v\n%s", x.from, v, stack)
		}
		x.over(returned)
	}()
	r, err := x.request()
	if err != nil {
		x.passOn()
		return
	}
	x.door.handler().ServeHTTP(x, r)
	returned = true
}

// request makes the request of the head.
func (x *exchange) request() (*http.Request, error) {
	p := parsers.Get().(*parser)
	p.src.Reset((*x.head)[:x.headEnd])
	p.buf.Reset(&p.src)
	r, err := http.ReadRequest(p.buf)
	p.src.Reset(nil)
	parsers.Put(p)
	if err != nil {
		return nil, err
	}
	if r.Body != http.NoBody {
		return nil, errors.New("door: a handshake with a body") // judge lets none through
	}
	r.RemoteAddr = x.from.String()
	if t := x.door.srv.WriteTimeout; t > 0 {
		x.response.writeBy = time.Now().Add(t)
	}
	return r.WithContext((*requestContext)(x)), nil
}

// parser is what a head is read with.
type parser struct {
	src bytes.Reader
	buf *bufio.Reader
}

var parsers = sync.Pool{New: func() any { return &parser{buf: bufio.NewReaderSize(nil, 4<<10)} }}

// passOn gives the connection to net/http, which finds the same fault.
func (x *exchange) passOn() {
	if fd, ok := x.conn.Take(); ok {
		x.door.pass(arrival{fd, x.from, x.came, append([]byte(nil), *x.head...)})
	}
}

// over ends the exchange. returned says that the handler has returned: if it has not, nothing more is sent.
func (x *exchange) over(returned bool) {
	(*requestContext)(x).finish()
	if !x.life.hijacked.Load() {
		if returned {
			x.response.end(x)
		}
		x.leave()
	}
	if h := x.head; h != nil {
		x.head = nil
		heads.Put(h)
	}
}

// leave closes the connection. What the client still sends does not keep it from reading the answer.
func (x *exchange) leave() {
	unread := len(*x.head) > x.headEnd
	if fd, ok := x.conn.Take(); !ok {
		_ = x.conn.Close() // if it has not been cut or passed on
	} else if unread || x.unread(fd) {
		x.lobby.bow(fd)
	} else {
		_ = syscall.Close(fd)
	}
	x.lobby.forget(x)
}

// cut closes the connection while its handler runs, unless that has hijacked it.
func (x *exchange) cut() {
	if !x.life.hijacked.Load() {
		_ = x.conn.Close()
		(*requestContext)(x).clientLeft()
	}
}

func (x *exchange) unread(fd int) bool {
	var b [64]byte
	n, err := sock.Recv(fd, b[:])
	return err == nil && n > 0
}

// HijackRaw takes the connection over as Hijack does, with what has been read beyond the head. Its net.Conn is package fdconn's.
func (x *exchange) HijackRaw() (conn net.Conn, early []byte, err error) {
	early, err = x.hijack()
	return x.conn, early, err
}

// Hijack implements http.Hijacker, for everybody else.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	early, err := x.hijack()
	if err != nil {
		return nil, nil, err
	}
	var conn net.Conn = x.conn
	if fd, ok := x.conn.Take(); ok { // else somebody has had to wait for it
		tcp, err := x.door.netConn(fd)
		if err != nil {
			return nil, nil, err
		}
		conn = tcp
		x.life.keepLocal(tcp.LocalAddr())
	}
	r := bufio.NewReaderSize(&prefixed{early, conn}, max(4<<10, len(early)))
	if len(early) > 0 {
		_, _ = r.Peek(len(early)) // it is buffered then, as package http has it
	}
	return conn, bufio.NewReadWriter(r, bufio.NewWriterSize(conn, 4<<10)), nil
}

// hijack leaves the connection to its caller.
func (x *exchange) hijack() (early []byte, err error) {
	if x.life.over.Load() {
		panic("net/http: Hijack called after ServeHTTP finished") // as package http says
	}
	if x.life.hijacked.Swap(true) {
		return nil, http.ErrHijacked
	}
	if x.response.wrote {
		x.response.flush(x)
	}
	(*requestContext)(x).unwatch()
	x.lobby.forget(x)
	if rest := (*x.head)[x.headEnd:]; len(rest) > 0 {
		early = append(early, rest...)
	}
	return early, nil
}

// forget takes an exchange off the list of those under way.
func (lb *lobby) forget(x *exchange) {
	lb.mu.Lock()
	defer lb.mu.Unlock()
	lb.busy.remove(x)
	if lb.closed {
		lb.rouseLocked(time.Unix(1, 0))
	}
}

// prefixed is a connection of which something has been read.
type prefixed struct {
	first []byte
	conn  net.Conn
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.conn.Read(b)
}

// checkCode panics where package http does.
func checkCode(code int) {
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	}
}
