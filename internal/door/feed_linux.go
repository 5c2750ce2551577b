package door

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// feed is the listener that the http.Server has: it accepts what the door passes on. Closing it closes the door.
type feed struct {
	door  *door
	begun sync.Once
}

// Accept implements net.Listener. The first connection is the stand-in.
func (f *feed) Accept() (net.Conn, error) {
	var first net.Conn
	f.begun.Do(func() { first = newStandIn(f.door) })
	if first != nil {
		return first, nil
	}
	for {
		select {
		case a := <-f.door.passed:
			if c := f.open(a); c != nil {
				return c, nil
			}
		case <-f.door.closing:
			return nil, net.ErrClosed
		}
	}
}

// Close implements net.Listener.
func (f *feed) Close() error { return f.door.close() }

// Addr implements net.Listener.
func (f *feed) Addr() net.Addr { return f.door.listener.Addr() }

// open makes of a connection what the server would have accepted; nil if there is no descriptor left for that.
func (f *feed) open(a arrival) net.Conn {
	conn, err := f.door.netConn(a.fd)
	if err != nil {
		f.door.logf("http: Accept error: %v", err)
		return nil
	}
	c := &passedOn{TCPConn: conn, first: a.bytes, late: f.door.now() - a.came}
	switch srv := f.door.srv; {
	case srv.ReadHeaderTimeout > 0, srv.ReadHeaderTimeout == 0 && srv.ReadTimeout > 0:
		c.deadlines = 2
	case srv.ReadTimeout > 0:
		c.deadlines = 1
	}
	return c
}

// netConn makes a descriptor a connection of package net's. For a moment that takes another descriptor.
func (d *door) netConn(fd int) (*net.TCPConn, error) {
	f := os.NewFile(uintptr(fd), "tcp")
	defer f.Close() //nolint:errcheck // the connection has a copy
	c, err := net.FileConn(f)
	if errors.Is(err, syscall.EMFILE) && d.evict() {
		c, err = net.FileConn(f)
	}
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil // it was accepted by a TCP listener
}

// passedOn is a connection of which the door has read something.
type passedOn struct {
	*net.TCPConn
	first []byte // that the door has read
	// late is how long the connection was at the door, and deadlines how many deadlines of its first request are still to be
	// set: they are so much earlier.
	late      time.Duration
	deadlines int
}

// Read implements net.Conn.
func (c *passedOn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		if c.first = c.first[n:]; len(c.first) == 0 {
			c.first = nil
		}
		return n, nil
	}
	return c.TCPConn.Read(p)
}

// SetReadDeadline implements net.Conn.
func (c *passedOn) SetReadDeadline(t time.Time) error {
	if c.deadlines > 0 {
		c.deadlines--
		if !t.IsZero() {
			t = t.Add(-c.late)
		}
	}
	return c.TCPConn.SetReadDeadline(t)
}

// Bare returns the connection itself, if all that the door had read has been read from c. It is asked for by whoever has hijacked
// it.
func (c *passedOn) Bare() (net.Conn, bool) { return c.TCPConn, len(c.first) == 0 }

// standIn stands in the server for everything that the door itself answers: a connection whose request, OPTIONS *, lacks its last
// byte while the door is open and until what it answers has been answered. The server answers that request itself and calls no
// handler. So Shutdown waits for the door as for any busy connection, and Close closes the stand-in, which then cuts what is at
// the door.
type standIn struct {
	door    *door
	request *strings.Reader
	closed  chan struct{}
	once    sync.Once
}

func newStandIn(d *door) *standIn {
	return &standIn{
		door:    d,
		request: strings.NewReader("OPTIONS * HTTP/1.1\r\nHost: door\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"),
		closed:  make(chan struct{}),
	}
}

// Read implements net.Conn. The door opens when the server waits for the request's end, and takes the stand-in for busy.
func (s *standIn) Read(p []byte) (int, error) {
	if s.request.Len() > 0 {
		return s.request.Read(p)
	}
	s.door.start.Do(s.door.begin)
	for _, lb := range s.door.lobbies {
		select {
		case <-lb.done:
		case <-s.closed: // by the server's Close
			s.door.cut()
			return 0, net.ErrClosed
		}
	}
	return 0, io.EOF
}

// Close implements net.Conn.
func (s *standIn) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *standIn) Write(p []byte) (int, error)      { return len(p), nil }
func (s *standIn) LocalAddr() net.Addr              { return s.door.listener.Addr() }
func (s *standIn) RemoteAddr() net.Addr             { return s.door.listener.Addr() }
func (s *standIn) SetDeadline(time.Time) error      { return nil }
func (s *standIn) SetReadDeadline(time.Time) error  { return nil }
func (s *standIn) SetWriteDeadline(time.Time) error { return nil }
