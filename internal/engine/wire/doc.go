// Package wire is the one way bytes take to a socket.
//
// A [Writer] writes first: whoever has something to send writes it to the socket without blocking, and
// nothing is allocated and no goroutine exists. Only what the socket refuses is queued, by reference, and
// then a goroutine lives until the queue is empty. Everything a connection sends passes its Writer, so
// all of it, control frames too, goes out in the order in which it was handed over.
//
// What waits is bounded, and what is beyond is for the room to say whose messages it is about: see frame.Overflow.
// Every room message is counted in its room's account when it is in the socket, dropped or conflated.
//
// Where the socket cannot be written without blocking (TLS, systems without a poller) everything is queued.
package wire
