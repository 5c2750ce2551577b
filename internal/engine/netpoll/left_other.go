//go:build !unix

package netpoll

import "net"

// Left cannot tell on this system, and reports false.
func Left(net.Conn, []byte) bool { return false }
