//go:build !unix

package hub_test

import (
	"errors"
	"net"
)

func setSendBuffer(*net.TCPListener, int) error { return errors.ErrUnsupported }
