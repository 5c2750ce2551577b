//go:build unix && (!linux || race)

package sock

import "syscall"

// Send sends what the socket, which must be one that does not block, takes of p now; nothing, without an error, where it
// is full.
func Send(fd int, p []byte) (int, error) {
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
