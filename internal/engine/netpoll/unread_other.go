//go:build !unix

package netpoll

import "net"

// Unread cannot tell on this system, and reports false.
func Unread(net.Conn) bool { return false }
