// Package evict is a net.Listener that keeps a process within its file descriptors: when they run low, the connection that
// has been silent longest is closed for the one that comes.
package evict

import (
	"container/list"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// farewells bounds how many connections are being refused at a time, each of which keeps its descriptor for farewell
	// at most: one that is closed with a request unread is reset, and then the answer may be lost.
	farewells = 8
	farewell  = time.Second
	// retryAfter is what those who are refused are told, in seconds.
	retryAfter = 5
)

// refusal is the answer to who finds no place.
var refusal = fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\nConnection: close\r\n"+
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\n\r\nno descriptors left\n", retryAfter)

// Refusal is the answer to a client that finds no place. Nobody writes to it.
func Refusal() []byte { return refusal }

// Listener is what hub.EvictingListener says.
type Listener struct {
	net.Listener
	accepting sync.Mutex // Accept decides for one connection at a time
	inUse     *Descriptors

	mu      sync.Mutex
	waiting list.List // of net.Conn, as ConnState got them; the longest first
	places  map[net.Conn]*list.Element

	overTLS          atomic.Bool
	goodbyes         chan struct{}
	refusing         sync.WaitGroup
	evicted, refused atomic.Int64
}

// New makes a Listener of one that accepts TCP or Unix connections. most is how many descriptors the process may have in use
// when a connection is accepted. If it is negative, or the descriptors in use cannot be counted, which takes Linux, the
// Listener bounds nothing.
func New(inner net.Listener, most int) *Listener {
	return &Listener{
		Listener: inner,
		inUse:    NewDescriptors(most),
		places:   make(map[net.Conn]*list.Element),
		goodbyes: make(chan struct{}, farewells),
	}
}

// ConnState is for the field of that name of the http.Server. It is called by the server's goroutines, and blocks none.
func (l *Listener) ConnState(conn net.Conn, state http.ConnState) {
	if !l.inUse.Bounded() {
		return
	}
	if _, ok := conn.(*tls.Conn); ok {
		l.overTLS.Store(true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.places[conn]; at != nil {
		l.waiting.Remove(at)
		delete(l.places, conn)
	}
	if state == http.StateNew || state == http.StateIdle {
		l.places[conn] = l.waiting.PushBack(conn)
	}
}

// Accept blocks for the next connection that has a place.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.inUse.Bounded() || l.place() {
			return conn, err
		}
		l.refuse(conn)
	}
}

// place reports whether there is a place for one more connection, or can be made.
func (l *Listener) place() bool {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	return l.inUse.Take() || l.evict()
}

// Close closes the listener, and returns when nobody is being refused any more, within a second.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.refusing.Wait()
	return err
}

// Stats returns how many connections were closed because others came, and how many found no place.
func (l *Listener) Stats() (evicted, refused int64) { return l.evicted.Load(), l.refused.Load() }

// evict closes the connection that has waited longest for a request, and reports whether there was one.
func (l *Listener) evict() bool {
	l.mu.Lock()
	front := l.waiting.Front()
	if front == nil {
		l.mu.Unlock()
		return false
	}
	conn := l.waiting.Remove(front).(net.Conn)
	delete(l.places, conn)
	l.mu.Unlock()
	l.evicted.Add(1)
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // the goodbye of TLS may block
	}
	_ = conn.Close()
	runtime.Gosched() // the descriptor is free only when whoever reads from it has noticed
	return true
}

// refuse answers a connection that has no place, and closes it.
func (l *Listener) refuse(conn net.Conn) {
	l.refused.Add(1)
	select {
	case l.goodbyes <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	l.refusing.Go(func() {
		defer func() { <-l.goodbyes }()
		defer func() { _ = conn.Close() }()
		if l.overTLS.Load() || conn.SetDeadline(time.Now().Add(farewell)) != nil {
			return
		}
		// Until the request has been seen whole, or enough of it: what is unread when the socket is closed resets it.
		_, _ = conn.Read(make([]byte, 4<<10))
		_, _ = conn.Write(refusal)
	})
}
