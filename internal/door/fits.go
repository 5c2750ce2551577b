package door

import (
	"net"
	"net/http"
)

// Unfit says why net/http has to accept for srv from l itself; it is empty if a door can.
func Unfit(srv *http.Server, l net.Listener) string {
	switch _, tcp := l.(*net.TCPListener); {
	case !supported:
		return "the system is not Linux"
	case !tcp:
		return "the listener is not a *net.TCPListener"
	case srv.ConnState != nil:
		return "the server has a ConnState"
	case srv.ConnContext != nil:
		return "the server has a ConnContext"
	case srv.TLSNextProto != nil:
		return "the server has a TLSNextProto"
	case srv.DisableGeneralOptionsHandler:
		return "the server has no general OPTIONS handler"
	case srv.Protocols != nil && !srv.Protocols.HTTP1():
		return "the server does not speak HTTP/1"
	}
	return ""
}
