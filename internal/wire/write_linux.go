//go:build !race

package wire

import (
	"syscall"
	"unsafe"
)

// writeFD writes what a socket that does not block takes now; nothing, without an error, where it is full.
//
// The system call is made without telling the scheduler: it does not block, it is the larger part of all that
// a hub does, and the bookkeeping would be a few percent of it.
func writeFD(fd int, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))) //nolint:gosec // p is kept alive by the call
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}
