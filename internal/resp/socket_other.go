//go:build !linux

package resp

import (
	"net"
	"time"
)

func listen(conn net.Conn, timeout time.Duration) stream { return &patient{conn, timeout} }
