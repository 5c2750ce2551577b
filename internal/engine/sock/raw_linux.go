//go:build !race

package sock

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
)

// Send sends what the socket, which must be one that does not block, takes of p now; nothing, without an error, if it
// is full.
func Send(fd int, p []byte) (int, error) { return send(fd, p, 0) }

// SendLast is Send, and the kernel may hold p back for the end of the sending side, which the caller brings about next. Both
// then go in one packet. If that end does not come, the kernel sends p after 200 ms.
func SendLast(fd int, p []byte) (int, error) { return send(fd, p, syscall.MSG_MORE) }

func send(fd int, p []byte, flags uintptr) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !fastpath.RawSyscalls.Enabled() {
		return write(fd, p)
	}
	flags |= syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	n, err := call(unix.SYS_SENDTO, uintptr(fd), unsafe.Pointer(&p[0]), len(p), flags) //nolint:gosec // kept alive by the call
	if errors.Is(err, syscall.EAGAIN) {
		return 0, nil
	}
	return n, err
}

// Recv receives what the socket, which must be one that does not block, has for p now. If it has nothing the error is
// EAGAIN; after the other side has ended n is zero, without an error.
func Recv(fd int, p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !fastpath.RawSyscalls.Enabled() {
		return read(fd, p)
	}
	return call(unix.SYS_RECVFROM, uintptr(fd), unsafe.Pointer(&p[0]), len(p), syscall.MSG_DONTWAIT) //nolint:gosec // kept alive by the call
}
