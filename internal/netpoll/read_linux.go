package netpoll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read takes what a socket has for p now, without blocking. An error, or an end, is left for who reads next to find
// out where there is none: n is zero then, as it is where there is nothing.
//
// The system call is made without telling the scheduler, see package wire.
func Read(fd int, p []byte) (n int) {
	if len(p) == 0 {
		return 0
	}
	r, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), //nolint:gosec // p is kept alive by the call
		syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(r)
}
