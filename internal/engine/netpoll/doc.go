// Package netpoll watches idle sockets, so that no goroutine has to.
//
// A [Poller] keeps its own epoll set beside the Go runtime's. A socket in it is armed for one event; when
// the peer sends something or hangs up, the handler is called once and the socket stays silent until it
// is armed again. On other systems, and for connections that are not plain TCP, [Descriptor] says that
// there is nothing to watch, and the caller reads with a goroutine of its own.
package netpoll
