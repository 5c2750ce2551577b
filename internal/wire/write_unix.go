//go:build unix && (!linux || race)

package wire

import "syscall"

// writeFD writes what a socket that does not block takes now; nothing, without an error, where it is full.
func writeFD(fd int, p []byte) (int, error) {
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
