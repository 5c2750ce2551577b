package sock

import (
	"syscall"
	"unsafe"
)

// call makes a system call of a descriptor, a place in memory, its length and one number more, again where a signal came
// between.
func call(trap, fd uintptr, p unsafe.Pointer, length int, last uintptr) (n int, err error) {
	for {
		r, _, errno := syscall.RawSyscall6(trap, fd, uintptr(p), uintptr(length), last, 0, 0)
		switch errno {
		case 0:
			return int(r), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
