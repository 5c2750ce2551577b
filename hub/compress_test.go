package hub_test

import (
	"compress/flate"
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// countingConn counts what is read from the socket.
type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// dialCounting makes a client that offers compression, or not, and counts the bytes it is sent.
func (s *server) dialCounting(t *testing.T, compress bool) (*client, *atomic.Int64) {
	t.Helper()
	n := new(atomic.Int64)
	d := s.dialer()
	d.EnableCompression = compress
	d.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		return countingConn{nc, n}, err
	}
	c := s.connectWith(t, d, nil)
	c.welcomed()
	return c, n
}

// TestCompression: a room's messages reach those who negotiated compression compressed, and the others as they are.
func TestCompression(t *testing.T) {
	const size = 8000
	large := []byte(`"` + strings.Repeat("all work and no play ", size/21) + `"`)
	overAll(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithCompression(flate.BestSpeed, 100))
		with, withBytes := s.dialCounting(t, true)
		without, withoutBytes := s.dialCounting(t, false)
		for _, c := range []*client{with, without} {
			c.ask(`{"op":"join","id":1,"room":"a"}`)
		}
		beforeWith, beforeWithout := withBytes.Load(), withoutBytes.Load()
		for _, data := range [][]byte{[]byte(`"small"`), large, []byte(`"small again"`), large} {
			if _, err := s.Publish(t.Context(), "a", data); err != nil {
				t.Fatal(err)
			}
			for _, c := range []*client{with, without} {
				if r := c.read(); string(r.Data) != string(data) {
					t.Errorf("got %.50s, want %.50s", r.Data, data)
				}
			}
		}
		if n := withBytes.Load() - beforeWith; n > size/2 {
			t.Errorf("%d bytes were sent to the client that negotiated compression", n)
		}
		if n := withoutBytes.Load() - beforeWithout; n < 2*size-100 {
			t.Errorf("%d bytes were sent to the client that did not", n)
		}
		// What clients send compressed is understood.
		with.write(`{"op":"publish","room":"a","data":` + string(large) + `}`)
		for _, c := range []*client{with, without} {
			if r := c.read(); string(r.Data) != string(large) {
				t.Errorf("got %.50s", r.Data)
			}
		}
	})
}

// TestCompressionNotOffered: a hub without the option does not negotiate it.
func TestCompressionNotOffered(t *testing.T) {
	s := start(t)
	d := s.dialer()
	d.EnableCompression = true
	ws, resp, err := d.Dial(s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = ws.Close(), resp.Body.Close()
	if ext := resp.Header.Get("Sec-Websocket-Extensions"); ext != "" {
		t.Errorf("negotiated %q", ext)
	}
}
