package netpoll

import (
	"crypto/tls"
	"net"
	"syscall"
)

// Bare returns a connection without package door's reader of its beginning, if the beginning has been read. Callers have
// hijacked the connection.
func Bare(conn net.Conn) net.Conn {
	if wrapped, ok := conn.(interface{ Bare() (net.Conn, bool) }); ok {
		if bare, spent := wrapped.Bare(); spent {
			return bare
		}
	}
	return conn
}

// Descriptor returns the socket of a TCP or Unix stream connection, or of the one under a *tls.Conn. It is -1 if there is none,
// or if the system has no Poller. plain is false if the bytes on the socket are not those that Read returns: TLS. The
// descriptor is valid until conn is closed.
func Descriptor(conn net.Conn) (fd int, plain bool) {
	if !Supported {
		return -1, false
	}
	if c, ok := conn.(*tls.Conn); ok {
		fd, _ = Descriptor(c.NetConn())
		return fd, false
	}
	switch c := conn.(type) {
	case *net.TCPConn:
		return descriptorOf(c)
	case *net.UnixConn:
		return descriptorOf(c)
	case interface{ Descriptor() (fd int, ok bool) }: // package fdconn's
		return c.Descriptor()
	}
	return -1, false
}

func descriptorOf(c syscall.Conn) (fd int, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, false
	}
	fd = -1
	if err := raw.Control(func(p uintptr) { fd = int(p) }); err != nil {
		return -1, false
	}
	return fd, fd >= 0
}
