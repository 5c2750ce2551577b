package hub

import "syscall"

// KeepAlive is SO_KEEPALIVE of the connection's socket.
func (c *Conn) KeepAlive() int {
	v := -1
	_ = c.writer.Use(func(fd int) (err error) {
		v, err = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
		return err
	})
	return v
}
