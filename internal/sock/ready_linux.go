package sock

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ready asks an epoll set what is ready now, and returns how many events there are.
//
// That the scheduler is not told matters most for a process that is woken often and soon done: each system call it is
// told of wakes the runtime's monitor, which then looks around every 20 us for a millisecond.
func Ready(epoll int, events []syscall.EpollEvent) (n int, err error) {
	if len(events) == 0 {
		return 0, syscall.EINVAL
	}
	for {
		r, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0) //nolint:gosec // events are kept alive by the call
		switch errno {
		case 0:
			return int(r), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
