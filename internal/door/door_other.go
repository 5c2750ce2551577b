//go:build !linux

package door

import (
	"net"
	"net/http"
)

const supported = false

// Serve is srv.Serve on this system.
func Serve(srv *http.Server, l net.Listener, _ int) error { return srv.Serve(l) }
