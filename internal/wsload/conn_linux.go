package wsload

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/sock"
	"github.com/gohubkit/hubkit/internal/payload"
)

type state uint8

const (
	upgrading state = iota
	greeting
	ready
	closing
)

// conn is one connection. It belongs to its loop.
type conn struct {
	fd    int
	index int
	state state
	step  uint8
	// armed is set while the loop waits for the socket to take more of out.
	armed bool
	// tail is the end of an unfinished message, where a mark may have begun.
	tail    [len(payload.Mark) - 1]byte
	tailLen uint8
	// message is what has come of an unfinished message, with a Handler.
	message []byte
	// carry is the start of a frame whose rest has not come.
	carry []byte
	// out is what the socket has not taken yet.
	out []byte
}

var errClosed = errors.New("closed by the server")

// write sends b whole, now or, in its order, when the socket takes more.
func (l *loop) write(c *conn, b []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return nil
	}
	n, err := sock.Send(c.fd, b)
	if err != nil && !errors.Is(err, unix.ENOTCONN) { // the connect is still under way
		return fmt.Errorf("write: %w", err)
	}
	if n == len(b) {
		return nil
	}
	c.out = append(c.out, b[n:]...)
	return l.arm(c, true)
}

func (l *loop) flush(c *conn) error {
	n, err := sock.Send(c.fd, c.out)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if c.out = c.out[n:]; len(c.out) > 0 {
		return nil
	}
	c.out = nil
	return l.arm(c, false)
}

// read takes what the socket has, once.
func (l *loop) read(c *conn) error {
	n := copy(l.buf, c.carry)
	m, err := sock.Recv(c.fd, l.buf[n:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case m == 0:
		return errClosed
	}
	l.tick()
	rest, err := l.consume(c, l.buf[:n+m])
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		c.carry = nil
		return nil
	}
	c.carry = append(c.carry[:0], rest...)
	if len(rest) == len(l.buf) {
		l.buf = make([]byte, 2*len(l.buf))
	}
	return nil
}

// consume handles what is complete in b and returns the rest.
func (l *loop) consume(c *conn, b []byte) ([]byte, error) {
	if l.opt.Stream {
		return l.consumeStream(c, b)
	}
	if c.state == upgrading {
		n, err := parseHandshake(b)
		if n == 0 || err != nil {
			return b, err
		}
		subprotocol := headerValue(b[:n], "Sec-Websocket-Protocol")
		b = b[n:]
		if l.opt.Handler != nil {
			c.state = ready
			l.becameReady()
			l.opt.Handler.Opened(c.index, subprotocol)
		} else if err := l.beginGreeting(c); err != nil {
			return nil, err
		}
	}
	for {
		f, n, ok := parseFrame(b)
		if !ok {
			return nil, fmt.Errorf("not a server's frame: % x", b[:min(len(b), 10)])
		}
		if n == 0 {
			return b, nil
		}
		b = b[n:]
		if err := l.frame(c, f); err != nil {
			return nil, err
		}
	}
}

func (l *loop) frame(c *conn, f frame) error {
	switch f.op {
	case opClose:
		return parseClose(f.payload)
	case opPing:
		l.pings.Add(1)
		l.scratch = appendFrame(l.scratch[:0], opPong, f.payload)
		return l.write(c, l.scratch)
	case opPong:
		if l.opt.Handler != nil && c.state == ready {
			l.opt.Handler.Pong(c.index, f.payload)
		}
		return nil
	}
	if l.opt.Handler != nil {
		l.message(c, f)
		return nil
	}
	if c.state == greeting {
		c.step++
		return l.greet(c)
	}
	if l.opt.AppPing != "" && string(f.payload) == l.opt.AppPing {
		return l.text(c, l.opt.AppPong)
	}
	if n := l.count(c, f); n > 0 && l.echoing {
		return l.echo(c)
	}
	return nil
}

// message hands whole messages to the Handler.
func (l *loop) message(c *conn, f frame) {
	if c.state != ready {
		return
	}
	if !f.fin || len(c.message) > 0 {
		c.message = append(c.message, f.payload...)
		if !f.fin {
			return
		}
		f.payload, c.message = c.message, nil
	}
	l.opt.Handler.Message(c.index, f.payload)
}

func (l *loop) beginGreeting(c *conn) error {
	c.state = greeting
	return l.greet(c)
}

// greet sends the next frame of the greeting, or declares the connection ready.
func (l *loop) greet(c *conn) error {
	if l.opt.Greeting != nil {
		if frames := l.opt.Greeting(c.index); int(c.step) < len(frames) {
			return l.text(c, frames[c.step])
		}
	}
	c.state = ready
	l.becameReady()
	if !l.opt.Churn {
		return nil
	}
	c.state = closing
	// 1000, normal closure.
	l.scratch = appendFrame(l.scratch[:0], opClose, []byte{0x03, 0xe8})
	return l.write(c, l.scratch)
}

func (l *loop) text(c *conn, s string) error {
	l.scratch = appendFrame(l.scratch[:0], opText, []byte(s))
	return l.write(c, l.scratch)
}
