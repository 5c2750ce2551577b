package netpoll

import "syscall"

// Unread reports whether a socket holds bytes that nobody has read yet.
func Unread(fd int) bool {
	var b [1]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == nil && n > 0
}
