//go:build unix && (!linux || race)

package sock

// Send sends what the socket, which must be one that does not block, takes of p now; nothing, without an error, if it
// is full.
func Send(fd int, p []byte) (int, error) { return write(fd, p) }

// SendLast is Send.
func SendLast(fd int, p []byte) (int, error) { return write(fd, p) }

// Recv receives what the socket, which must be one that does not block, has for p now. If it has nothing the error is
// EAGAIN; after the other side has ended n is zero, without an error.
func Recv(fd int, p []byte) (n int, err error) { return read(fd, p) }
