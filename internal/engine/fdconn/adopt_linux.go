package fdconn

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/netpoll"
)

// Adopt moves the socket of a *net.TCPConn to a Conn, and closes conn. It returns any other conn as it is, and any for which there
// is no descriptor free. Nobody else may use conn, and its deadlines end.
func Adopt(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	remote, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok { // it is closed
		return conn
	}
	theirs, _ := netpoll.Descriptor(tcp) // which package net closes with tcp
	fd, err := unix.FcntlInt(uintptr(theirs), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return conn
	}
	_ = tcp.Close() // the socket stays open
	from := remote.AddrPort()
	return New(fd, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
}
