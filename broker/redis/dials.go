package redis

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// dials holds the connections that rueidis has made. It keeps one for as long as it is answered, whoever answers: when that
// is a replica now, the connection must be ended for it.
type dials struct {
	keepAlive time.Duration // of the dialer for servers

	mu    sync.Mutex
	conns map[*dialed]struct{}
}

type dialed struct {
	net.Conn
	addr     string
	sentinel bool
	from     *dials
}

// sentinelDialer is a copy of a dialer by which dial knows that a connection is to a Sentinel: rueidis does not say so.
func sentinelDialer(d net.Dialer) net.Dialer {
	d.KeepAlive++
	return d
}

// sentinelAddr is the address of a Sentinel, whose credentials are others.
type sentinelAddr struct{ net.Addr }

// RemoteAddr is what rueidis asks for credentials with.
func (c *dialed) RemoteAddr() net.Addr {
	if c.sentinel {
		return sentinelAddr{c.Conn.RemoteAddr()}
	}
	return c.Conn.RemoteAddr()
}

// dial makes a connection as rueidis would.
func (d *dials) dial(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	open := dialer.DialContext
	if config != nil {
		open = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext
	}
	conn, err := open(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &dialed{conn, addr, dialer.KeepAlive != d.keepAlive, d}
	d.mu.Lock()
	d.conns[c] = struct{}{}
	d.mu.Unlock()
	return c, nil
}

func (c *dialed) Close() error {
	c.from.mu.Lock()
	delete(c.from.conns, c)
	c.from.mu.Unlock()
	return c.Conn.Close()
}

// cut ends the connections to an address. rueidis makes others with the next commands.
func (d *dials) cut(addr string) {
	d.mu.Lock()
	var gone []*dialed
	for c := range d.conns {
		if c.addr == addr && !c.sentinel {
			gone = append(gone, c)
		}
	}
	d.mu.Unlock()
	for _, c := range gone {
		_ = c.Close()
	}
}
