//go:build !linux

package resp

import (
	"net"
	"time"
)

func detach(conn net.Conn, timeout time.Duration) (stream, error) {
	return &patient{conn, timeout}, nil
}
