package client_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/client"
)

// Tests that use virtual run in virtual time, over a network of pipes.

type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// virtual runs a test with a client that is not yet running.
func virtual(t *testing.T, test func(t *testing.T, s *server, c *client.Client), opts ...client.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ln := pipes{make(chan net.Conn), make(chan struct{})}
		s := &server{t: t, peers: make(chan *peer, 1000), patience: 1000 * time.Hour}
		s.serve(ln)
		c := newClient(t, "ws://pipe", append([]client.Option{client.WithDialer(ln.dial)}, opts...)...)
		test(t, s, c)
	})
}

// listen reads until the connection ends, and answers pings if asked to. It returns what tells of each
// frame and how the connection ended.
func (p *peer) listen(pong bool) (frames <-chan request, ended <-chan error) {
	if !pong {
		p.ws.SetPingHandler(func(string) error { return nil })
	}
	f, e := make(chan request, 1000), make(chan error, 1)
	go func() {
		for {
			r, err := p.next()
			if err != nil {
				e <- err
				return
			}
			f <- r
		}
	}()
	return f, e
}

// lostAfter returns how the connection was lost, which must be exactly d after start.
func lostAfter(t *testing.T, states <-chan client.State, start time.Time, d time.Duration) error {
	t.Helper()
	st := awaitStatus(t, states, client.Disconnected)
	if got := time.Since(start); got != d {
		t.Errorf("disconnected after %v, want %v", got, d)
	}
	return st.Err
}

func awaitLong(states <-chan client.State, want client.Status) client.State {
	for {
		if st := <-states; st.Status == want {
			return st
		}
	}
}

// TestNetworkThatTakesNothing: the write timeout ends the connection, and the publication goes out on
// the next.
// TestBackpressure: as long as a callback runs, the client takes what the inbox holds, and nothing else.
// TestHints measures from the moment the server spoke to the next connection.
// TestBackoff is a server that is away: the delays are the policy's.
// TestCloseIsNotHeldUp: not by a server that takes nothing, but by a callback.
// TestCallbackOrder: one at a time, in the order of things; the race detector watches.
