//go:build unix

package netpoll

import (
	"net"
	"syscall"
)

// Unread reports whether the socket under a connection holds bytes that nobody has read yet: of a TLS connection,
// records. It does not block.
func Unread(conn net.Conn) bool {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, _ = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT) // an error leaves n at no bytes
	})
	return err == nil && n > 0
}
