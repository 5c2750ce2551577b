// Package wire writes all bytes of a connection to its socket.
//
// A [Writer] writes first: the caller writes to the socket without blocking, without an allocation, and without
// another goroutine. Only bytes that the socket refuses are queued, by reference. A goroutine then exists until the
// queue is empty. Everything that a connection sends passes its Writer, so all of it goes out in the order of
// the calls, control frames included.
//
// The backlog is bounded. The Overflow policy of a message's room decides about messages beyond the bound: see
// frame.Overflow. Every room message is counted in its room's account when it is in the socket, dropped or conflated.
//
// If the socket cannot be written without blocking (TLS, systems without a poller), everything is queued.
package wire
