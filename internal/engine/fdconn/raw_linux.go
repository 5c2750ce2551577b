package fdconn

import (
	"net"
	"syscall"
)

// SyscallConn implements syscall.Conn. Of what it returns, Control needs no place in the runtime's poller; Read and Write do.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if _, open := c.Descriptor(); !open {
		return nil, net.ErrClosed
	}
	return (*rawConn)(c), nil
}

type rawConn Conn

// Control implements syscall.RawConn. f must not use the Conn.
func (r *rawConn) Control(f func(fd uintptr)) error {
	return (*Conn)(r).Use(func(fd int) error { f(uintptr(fd)); return nil })
}

// Read implements syscall.RawConn.
func (r *rawConn) Read(f func(fd uintptr) (done bool)) error {
	c := (*Conn)(r)
	w, err := c.waiting()
	if err != nil {
		return err
	}
	return c.failed(w.raw.Read(f))
}

// Write implements syscall.RawConn.
func (r *rawConn) Write(f func(fd uintptr) (done bool)) error {
	c := (*Conn)(r)
	w, err := c.waiting()
	if err != nil {
		return err
	}
	return c.failed(w.raw.Write(f))
}
