//go:build linux

package evict

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/testenv"
)

const patience = 30 * time.Second

// guarded is a server that may have so many descriptors more than are in use now. Those of its clients count too.
type guarded struct {
	*httptest.Server
	listener *Listener
	slow     chan struct{} // what /slow waits for
}

func startGuarded(t *testing.T, more int, overTLS bool) *guarded {
	t.Helper()
	testenv.NoLeaks(t)
	g := &guarded{Server: httptest.NewUnstartedServer(nil), slow: make(chan struct{})}
	g.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_ = http.NewResponseController(w).Flush()
			<-g.slow
		}
	})
	g.listener = New(g.Listener, countDescriptors()+more)
	g.Config.ErrorLog = log.New(io.Discard, "", 0) // of TLS handshakes that were cut
	g.Listener, g.Config.ConnState = g.listener, g.listener.ConnState
	if overTLS {
		g.StartTLS()
	} else {
		g.Start()
	}
	t.Cleanup(g.Close)
	return g
}

// ask asks on a connection of its own. The answer is to be closed.
func (g *guarded) ask(path string) (*http.Response, error) {
	tr := &http.Transport{DisableKeepAlives: true}
	if base := g.Client().Transport.(*http.Transport); base.TLSClientConfig != nil {
		tr.TLSClientConfig = base.TLSClientConfig.Clone()
	}
	return (&http.Client{Transport: tr, Timeout: patience}).Get(g.URL + path)
}

// answered reports whether somebody who asks finds a place.
func (g *guarded) answered() error {
	res, err := g.ask("/")
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// dial opens a connection and says nothing.
func (g *guarded) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestListenerEvicts: who says nothing makes way, the first one first, and whoever asks is answered.
func TestListenerEvicts(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		const clients = 100
		g := startGuarded(t, clients+30, overTLS)
		var mute []net.Conn
		for range clients {
			mute = append(mute, g.dial(t))
		}
		for range 20 {
			if err := g.answered(); err != nil {
				t.Fatal(err)
			}
		}
		_ = mute[0].SetReadDeadline(time.Now().Add(patience))
		if _, err := mute[0].Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Errorf("the one that has waited longest: %v", err)
		}
		if evicted, refused := g.listener.Stats(); evicted == 0 || refused != 0 {
			t.Errorf("TLS %v: %d evicted, %d refused", overTLS, evicted, refused)
		}
	}
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// TestListenerRefuses: where every connection is at work, a new one is refused, and not once there is a place again.
func TestListenerRefuses(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		g := startGuarded(t, 40, overTLS)
		var slow []io.Closer
		for refused := int64(0); refused == 0; _, refused = g.listener.Stats() {
			res, err := g.ask("/slow") //nolint:bodyclose // it is, below
			if err == nil {
				slow = append(slow, res.Body)
			}
			switch {
			case err != nil:
				if !overTLS {
					t.Fatal(err)
				}
			case res.StatusCode == http.StatusServiceUnavailable:
				if res.Header.Get("Retry-After") == "" {
					t.Errorf("%+v", res)
				}
				body, err := io.ReadAll(res.Body)
				if string(body) != "no descriptors left\n" || err != nil {
					t.Errorf("%q, %v", body, err)
				}
			case res.StatusCode != http.StatusOK:
				t.Fatal(res.Status)
			}
		}
		if evicted, _ := g.listener.Stats(); evicted != 0 {
			t.Errorf("%d evicted that were at work", evicted)
		}
		close(g.slow)
		for _, body := range slow {
			_ = body.Close()
		}
		for begun := time.Now(); ; {
			err := g.answered()
			if err == nil {
				break
			}
			if time.Since(begun) > patience {
				t.Fatal(err)
			}
		}
	}
}

// TestListenerUnbounded: without a limit it is the listener that it was made of.
func TestListenerUnbounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(inner, -1)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // nothing was written
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := conn.(*net.TCPConn); !ok {
		t.Errorf("%T", conn)
	}
	l.ConnState(conn, http.StateNew)
	if err := errors.Join(conn.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
}
