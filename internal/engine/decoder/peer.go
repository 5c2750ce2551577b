package decoder

import (
	"bufio"
	"net"
	"time"
)

// peer is the net.Conn that gorilla has. It reads from, and writes to, the Owner attached to it.
type peer struct {
	owner Owner
	conn  net.Conn
	fast  receiver // of conn, if that is TCP

	// early is what was read before the Decoder was lent.
	early []byte
	// deadline is what the connection's read deadline is set to; zero for none.
	deadline time.Time
	// response is the answer to the handshake, until it is sent.
	response []byte
	upgraded bool
	// extension is what the answer says of permessage-deflate; gorilla does not know of it.
	extension string

	// timeout is set while a message is read: the first read that has to wait starts it.
	timeout time.Duration
	// read is what was read since the message began, and most how much that may be.
	read, most int
}

func (p *peer) attach(owner Owner) {
	p.owner, p.conn = owner, owner.NetConn()
	p.fast.attach(p.conn)
}

// detach leaves the connection without a deadline, so that its next reader need not look.
func (p *peer) detach() error {
	err := p.set(time.Time{})
	p.owner, p.conn = nil, nil
	p.fast.detach()
	return err
}

func (p *peer) set(t time.Time) error {
	if p.deadline.Equal(t) {
		return nil
	}
	p.deadline = t
	return p.conn.SetReadDeadline(t)
}

// allow lets the next read wait for linger, or a little less: setting a deadline costs more than it gains in
// precision. Zero waits for ever.
func (p *peer) allow(linger time.Duration) error {
	p.timeout, p.read = 0, 0
	if linger <= 0 {
		return p.set(time.Time{})
	}
	if linger == AtOnce {
		return p.set(past)
	}
	now := time.Now()
	if left := p.deadline.Sub(now); left <= linger && left >= linger/2 {
		return nil
	}
	return p.set(now.Add(linger))
}

// keepEarly takes over what the HTTP server has read beyond the handshake.
func (p *peer) keepEarly(r *bufio.Reader, n int) {
	early, _ := r.Peek(n) // they are there
	p.early = append([]byte(nil), early...)
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// message starts a message: whatever of it has to be waited for must come within timeout.
func (p *peer) message(timeout time.Duration, most int) { p.timeout, p.read, p.most = timeout, 0, most }

func (p *peer) Read(b []byte) (int, error) {
	if p.timeout > 0 {
		if err := p.set(time.Now().Add(p.timeout)); err != nil {
			return 0, err
		}
		p.timeout = 0
	}
	if p.read > p.most {
		return 0, ErrTooLarge // a message of nothing but empty fragments and pings, for example
	}
	if len(p.early) > 0 {
		n := copy(b, p.early)
		p.early = p.early[n:]
		p.read += n
		return n, nil
	}
	var n int
	var err error
	if p.fast.raw != nil {
		n, err = p.fast.read(b)
	} else {
		n, err = p.conn.Read(b)
	}
	p.read += n
	return n, err
}

func (p *peer) Write(b []byte) (int, error) {
	if !p.upgraded {
		p.upgraded = true
		p.response = b
		if p.extension != "" {
			p.response = append(p.response[:len(b)-len("\r\n")], "Sec-WebSocket-Extensions: "...)
			p.response = append(append(p.response, p.extension...), "\r\n\r\n"...)
		}
		return len(b), nil
	}
	if err := p.owner.WriteWire(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// respond sends what the first Write was given.
func (p *peer) respond() error {
	err := p.owner.WriteWire(p.response)
	p.response = nil
	if err != nil {
		_ = p.conn.Close()
	}
	return err
}

// Close is called by gorilla only if a handshake fails.
func (p *peer) Close() error {
	if p.conn == nil {
		return nil
	}
	return p.conn.Close()
}

func (p *peer) LocalAddr() net.Addr  { return p.conn.LocalAddr() }
func (p *peer) RemoteAddr() net.Addr { return p.conn.RemoteAddr() }

// Deadlines are this package's business: gorilla sets them only around a handshake's or a control
// frame's write, which do not block here.

func (p *peer) SetDeadline(time.Time) error      { return nil }
func (p *peer) SetReadDeadline(time.Time) error  { return nil }
func (p *peer) SetWriteDeadline(time.Time) error { return nil }
