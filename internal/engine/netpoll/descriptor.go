package netpoll

import (
	"net"
	"syscall"
)

// Descriptor returns the socket of a plain TCP or Unix stream connection. ok is false where the bytes on
// the socket are not those that Read returns (TLS), where there is no socket, or where the system has no
// Poller. The descriptor is valid until conn is closed.
func Descriptor(conn net.Conn) (fd int, ok bool) {
	if !Supported {
		return -1, false
	}
	var sc syscall.Conn
	switch c := conn.(type) {
	case *net.TCPConn:
		sc = c
	case *net.UnixConn:
		sc = c
	default:
		return -1, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, false
	}
	fd = -1
	if err := raw.Control(func(p uintptr) { fd = int(p) }); err != nil {
		return -1, false
	}
	return fd, fd >= 0
}
