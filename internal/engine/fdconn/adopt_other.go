//go:build !linux

package fdconn

import "net"

// Adopt returns conn: this system has no Conn.
func Adopt(conn net.Conn) net.Conn { return conn }
