//go:build unix

package sock

import "syscall"

// Supported reports whether Send and Recv do anything on this system.
const Supported = true

// write and read are the ways that the scheduler is told of. The race detector follows them too: what is sent by one
// goroutine and received by another happens before.

func write(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Write(fd, p)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, err
		}
	}
}

func read(fd int, p []byte) (n int, err error) {
	for {
		n, err = syscall.Read(fd, p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
