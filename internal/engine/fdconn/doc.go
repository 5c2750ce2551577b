// Package fdconn is a TCP connection that is only a descriptor and an address until a call has to wait for it.
//
// A net.TCPConn has a place in the Go runtime's poller, two addresses, a finalizer and locks for readers and writers: about
// 600 bytes. A [Conn] has 24. A call that need not wait is made at once: see package sock. The first call that has to
// wait, or that sets a deadline, gives the Conn its place in the runtime's poller. It keeps that until it is closed. No
// thread ever blocks in a system call of a Conn.
//
// A Conn has no finalizer: its owner must close it.
package fdconn
