package wsload

// Do runs fn on loop k, and returns before it has run where the loop is not behind. It must not be called on a
// loop, nor after Close.
func (c *Client) Do(k int, fn func()) { c.loops[k].do(fn) }

// Dial starts connection i, which must not be open. It is called on the loop of i, by a Handler or by Do, as all
// of these.
func (c *Client) Dial(i int) error { return c.loop(i).dial(i) }

// Send sends a whole message, a ping or a pong on connection i, or nothing where it is not open. What the socket does not
// take is kept until it does. That the connection broke is told by Handler.Closed, later.
func (c *Client) Send(i int, op Op, data []byte) {
	l := c.loop(i)
	if conn := l.byIndex[i/l.stride]; conn != nil && conn.state == ready {
		l.scratch = appendFrame(l.scratch[:0], byte(op), data)
		_ = l.write(conn, l.scratch) // epoll reports a broken socket too
	}
}

// Hangup closes connection i with a code and leaves it to the server to close the socket. The Handler hears no
// more of it, and i may be dialed again.
func (c *Client) Hangup(i int, code int) {
	l := c.loop(i)
	conn := l.byIndex[i/l.stride]
	if conn == nil {
		return
	}
	l.byIndex[i/l.stride] = nil
	if conn.state == upgrading { // to which one cannot say goodbye
		l.inflight--
		l.forget(conn)
		return
	}
	conn.state = closing
	l.inflight++ // as drop counts those that are closing
	l.scratch = appendFrame(l.scratch[:0], opClose, []byte{byte(code >> 8), byte(code)})
	_ = l.write(conn, l.scratch)
}

// Sockets is the number of sockets that are open, those that the server has yet to close included. It may be
// called from anywhere.
func (c *Client) Sockets() (n int64) {
	for _, l := range c.loops {
		n += l.sockets.Load()
	}
	return n
}

func (c *Client) loop(i int) *loop { return c.loops[i%len(c.loops)] }
