package resp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
	// Buffer is the size of what is read at once, in bytes.
	Buffer int
}

// Conn is a connection to a server that is ready for commands. Write is net.Conn's; one goroutine reads, by
// Next and Fill.
type Conn struct {
	net.Conn
	reader *Reader
	wait   waiter
	hello  string
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
	c := &Conn{Conn: nc, reader: NewReader(nc, o.Buffer)}
	c.wait.init(nc)
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	err = c.greet(o)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

// Role is what the server said it was when the connection was made: master or replica.
func (c *Conn) Role() string { return c.hello }

func (c *Conn) greet(o *Options) error {
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
	if _, err := c.Write(out); err != nil {
		return err
	}
	v, err := c.answer()
	if err != nil {
		return err
	}
	role, _ := v.Get("role")
	c.hello = string(role.Text)
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

// Fill is Reader.Fill. It calls idle just before it waits, and not at all where there is something to read already.
// Where it cannot tell, it calls idle in any case.
func (c *Conn) Fill(idle func()) error { return c.wait.fill(c.reader, idle) }
