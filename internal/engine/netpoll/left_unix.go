//go:build unix

package netpoll

import (
	"encoding/binary"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Left reports whether the other side of a connection will send nothing more: it has closed or reset the socket, or a
// WebSocket close frame is among the frames that are unread. The latter is looked for in as much as fits in buf, which is
// for a socket whose next byte begins a frame, and nil otherwise; under TLS it is not looked for. Left does not block.
//
// On systems other than Linux a closed socket is seen only if nothing is unread.
func Left(conn net.Conn, buf []byte) bool {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn, buf = c.NetConn(), nil
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	left := false
	err = raw.Control(func(fd uintptr) { left = leftFD(int(fd), buf) })
	return err == nil && left
}

func leftFD(fd int, buf []byte) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | hungUp}}
	if n, err := unix.Poll(fds, 0); n == 0 || err != nil {
		return false // nothing to see; next time, where a signal came between
	}
	events := fds[0].Revents
	if events&(hungUp|unix.POLLHUP|unix.POLLERR) != 0 {
		return true
	}
	if events&unix.POLLIN == 0 {
		return false
	}
	if buf == nil {
		var one [1]byte
		buf = one[:]
		n, _, err := syscall.Recvfrom(fd, buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return n == 0 && err == nil
	}
	n, _, err := syscall.Recvfrom(fd, buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == nil && (n == 0 || closes(buf[:n]))
}

// closes reports whether one of the frames that p begins with is a close frame.
func closes(p []byte) bool {
	for len(p) >= 2 {
		if p[0]&0xf == 8 {
			return true
		}
		n, head := uint64(p[1]&0x7f), 2
		switch {
		case n == 126 && len(p) >= 4:
			n, head = uint64(binary.BigEndian.Uint16(p[2:])), 4
		case n == 127 && len(p) >= 10:
			n, head = binary.BigEndian.Uint64(p[2:]), 10
		case n >= 126:
			return false
		}
		if p[1]&0x80 != 0 {
			head += 4 // the mask
		}
		if n > uint64(len(p)) || uint64(head)+n > uint64(len(p)) {
			return false
		}
		p = p[uint64(head)+n:]
	}
	return false
}
