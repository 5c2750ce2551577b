//go:build unix && !linux

package sock

import "syscall"

// EndSending ends the sending side of a TCP socket. What was sent before still arrives, even if the socket is then closed with
// something unread in it.
func EndSending(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) }
