//go:build unix && (!linux || race)

package sock

import "syscall"

// Recv receives what the socket, which must be one that does not block, has for p now. Where it has nothing the error is
// EAGAIN; after the other side has ended n is zero, without an error.
func Recv(fd int, p []byte) (n int, err error) {
	for {
		n, err = syscall.Read(fd, p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
