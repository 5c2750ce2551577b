package sock

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
)

// Close closes a socket, which must not be one that waits at its close until everything is sent (SO_LINGER).
func Close(fd int) error {
	if !fastpath.RawSyscalls.Enabled() {
		return syscall.Close(fd)
	}
	// Nothing comes again if a signal came between: the descriptor is gone then, too.
	if _, _, errno := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// EndSending ends the sending side of a TCP socket. What was sent before still arrives, even if the socket is then closed with
// something unread in it.
func EndSending(fd int) error {
	if !fastpath.RawSyscalls.Enabled() {
		return syscall.Shutdown(fd, syscall.SHUT_WR)
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), syscall.SHUT_WR, 0); errno != 0 {
		return errno
	}
	return nil
}

// Control changes what an epoll set watches.
func Control(epoll, op, fd int, ev *syscall.EpollEvent) error {
	if !fastpath.RawSyscalls.Enabled() {
		return syscall.EpollCtl(epoll, op, fd, ev)
	}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(ev)), 0, 0) //nolint:gosec // kept alive by the call
	if errno != 0 {
		return errno
	}
	return nil
}

// NoDelay turns Nagle's algorithm off.
func NoDelay(fd int) error {
	if !fastpath.RawSyscalls.Enabled() {
		return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	on := int32(1)
	_, _, errno := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY,
		uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0) //nolint:gosec // kept alive by the call
	if errno != 0 {
		return errno
	}
	return nil
}
