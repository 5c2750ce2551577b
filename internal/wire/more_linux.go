package wire

import "golang.org/x/sys/unix"

// writeMore is writeFD for what more follows at once, if only the end of the stream: the system may wait for it, and
// send both in one segment.
func writeMore(fd int, p []byte) (int, error) {
	n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_MORE|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return max(n, 0), err
}
