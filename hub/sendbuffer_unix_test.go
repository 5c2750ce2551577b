//go:build unix

package hub_test

import (
	"errors"
	"net"
	"syscall"
)

func setSendBuffer(l *net.TCPListener, n int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, n) })
	return errors.Join(err, failed)
}
