//go:build !unix

package resp

import "net"

// waiter cannot tell here whether there is something to read.
type waiter struct{}

func (*waiter) init(net.Conn) {}

func (*waiter) fill(r *Reader, idle func()) error {
	idle()
	return r.Fill()
}
