package sock

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// UserTimeout has the system close a TCP connection whose other side acknowledges nothing for so long, although something was sent.
func UserTimeout(conn syscall.Conn, d time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	set := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/time.Millisecond))
	})
	if set != nil {
		return set
	}
	return err
}
