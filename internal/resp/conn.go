package resp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Options of a connection.
type Options struct {
	Dialer *net.Dialer
	TLS    *tls.Config // nil: none
	// User and Password are sent where there is a password. No user is the default one.
	User, Password string
	ClientName     string // sent unless it is empty
	Database       int
	// Timeout bounds the making of the connection, all handshakes included.
	Timeout time.Duration
	// WriteTimeout is how long the server may take nothing of what is written.
	WriteTimeout time.Duration
	// Buffer is the size of what is read at once, in bytes.
	Buffer int
}

// Conn is a connection to a server that is ready for commands. One goroutine reads, by Next and Fill; another may
// write meanwhile, by Write and Send.
type Conn struct {
	stream stream
	reader *Reader
	last   int // bytes that the last Fill brought
	role   string
	mode   string
}

// stream is a connection whose reader can tell when it is about to wait.
type stream interface {
	io.WriteCloser
	// read is io.Reader's Read. It calls idle before it waits; last is what it returned last.
	read(p []byte, last int, idle func()) (int, error)
	// send writes what can be written without waiting, which may be nothing.
	send(p []byte) (int, error)
}

// patient is a net.Conn as a stream. It cannot tell, and calls idle each time.
type patient struct {
	net.Conn
	timeout time.Duration
}

func (c *patient) read(p []byte, _ int, idle func()) (int, error) {
	idle()
	return c.Read(p)
}

func (c *patient) send([]byte) (int, error) { return 0, nil }

func (c *patient) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Dial makes a connection. An error of the server is an [Error].
func Dial(ctx context.Context, addr string, o *Options) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	dial := o.Dialer.DialContext
	if o.TLS != nil {
		dial = (&tls.Dialer{NetDialer: o.Dialer, Config: o.TLS}).DialContext
	}
	nc, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{reader: NewReader(nc, o.Buffer)}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	err = c.greet(nc, o)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	c.stream = listen(nc, o.WriteTimeout)
	return c, nil
}

// Role is what the server said it was when the connection was made: master or replica.
func (c *Conn) Role() string { return c.role }

// Mode is how the server said that it runs: standalone, cluster or sentinel.
func (c *Conn) Mode() string { return c.mode }

func (c *Conn) greet(w io.Writer, o *Options) error {
	hello := []string{"HELLO", "3"}
	if o.Password != "" {
		user := o.User
		if user == "" {
			user = "default"
		}
		hello = append(hello, "AUTH", user, o.Password)
	}
	if o.ClientName != "" {
		hello = append(hello, "SETNAME", o.ClientName)
	}
	out := AppendCommand(nil, hello...)
	if o.Database != 0 {
		out = AppendCommand(out, "SELECT", strconv.Itoa(o.Database))
	}
	if _, err := w.Write(out); err != nil {
		return err
	}
	v, err := c.answer()
	if err != nil {
		return err
	}
	role, _ := v.Get("role")
	mode, _ := v.Get("mode")
	c.role, c.mode = string(role.Text), string(mode.Text)
	if o.Database != 0 {
		_, err = c.answer()
	}
	return err
}

// answer reads one value, which is the answer to a command.
func (c *Conn) answer() (v Value, err error) {
	for {
		v, ok, err := c.Next()
		if err != nil {
			return v, err
		}
		if ok {
			return v, v.Err()
		}
		if err := c.reader.Fill(); err != nil {
			return v, fmt.Errorf("resp: handshake: %w", err)
		}
	}
}

// Next is Reader.Next.
func (c *Conn) Next() (v Value, ok bool, err error) { return c.reader.Next() }

// Fill is Reader.Fill. It calls idle before it waits, and not where there is something to read already; where it
// cannot tell, in any case.
func (c *Conn) Fill(idle func()) (err error) {
	c.last, err = c.stream.read(c.reader.room(), c.last, idle)
	return c.reader.took(c.last, err)
}

// Write writes p whole. It fails when the server takes nothing for as long as the write timeout.
func (c *Conn) Write(p []byte) (int, error) { return c.stream.Write(p) }

// Send writes as much of p as the connection takes at once, and does not wait. Only TCP on Linux can tell, and
// with more than one processor; elsewhere it writes nothing, and Write is the way.
func (c *Conn) Send(p []byte) (int, error) { return c.stream.send(p) }

// Close ends the connection: reading and writing return.
func (c *Conn) Close() error { return c.stream.Close() }
