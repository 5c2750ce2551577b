package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// behind starts a load balancer before three servers of the test's, and returns where.
func behind(t *testing.T, proxy string, h http.HandlerFunc) (addr string) {
	t.Helper()
	p := proxies[proxy]
	testenv.RequireTool(t, p.program)
	var nodes []string
	for range names {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		nodes = append(nodes, s.Listener.Addr().String())
	}
	dir := t.TempDir()
	addr = freeAddr(t)
	if err := p.write(dir, addr, nodes); err != nil {
		t.Fatal(err)
	}
	running, err := p.start(dir, make(chan *process, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.stop(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	if err := ready(t.Context(), running, "http://"+addr+"/readyz"); err != nil {
		t.Fatal(err)
	}
	return addr
}

// knock sends a request, of which a GET asks for an upgrade, and returns the answer's status and when to come back.
func knock(t *testing.T, method, addr string) (status int, retryAfter string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Cookie": {"hubkit_node=b"}, "X-Forwarded-For": {"6.6.6.6"}, "X-Forwarded-Proto": {"https"},
	}
	if method == http.MethodGet {
		req.Header["Connection"], req.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
		req.Header["Sec-Websocket-Version"], req.Header["Sec-Websocket-Key"] = []string{"13"}, []string{"AAAAAAAAAAAAAAAAAAAAAA=="}
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode, res.Header.Get("Retry-After")
}

// When all hubs refuse, because too many come at once, the client hears it from them, and when to come back. None is
// taken for dead because of it. Only what may be sent twice is.
func TestRefusalByAll(t *testing.T) {
	overEachProxy(t, func(t *testing.T, proxy string) {
		var asked atomic.Int64
		addr := behind(t, proxy, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/ws" {
				return
			}
			asked.Add(1)
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		for i := range 10 {
			if status, after := knock(t, http.MethodGet, addr); status != http.StatusServiceUnavailable || after != "7" {
				t.Errorf("handshake %d: %d, retry after %q", i, status, after)
			}
		}
		if n := asked.Load(); n < 20 {
			t.Errorf("10 handshakes were passed on %d times", n)
		}
		asked.Store(0)
		knock(t, http.MethodPost, addr)
		if n := asked.Load(); n != 1 {
			t.Errorf("a POST came %d times", n)
		}
	})
}

// What a hub hears of a client is what the load balancer knows, not what the client says.
func TestForwardedHeaders(t *testing.T) {
	overEachProxy(t, func(t *testing.T, proxy string) {
		heard := make(chan *http.Request, 1)
		addr := behind(t, proxy, func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/ws" {
				heard <- r
			}
		})
		knock(t, http.MethodGet, addr)
		r := <-heard
		for name, want := range map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Upgrade": "websocket", "Cookie": "hubkit_node=b",
		} {
			if got := strings.Join(r.Header.Values(name), "|"); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
			t.Errorf("Connection is %q", r.Header.Get("Connection"))
		}
		if r.Host != addr {
			t.Errorf("Host is %q, want %q", r.Host, addr)
		}
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || host != "127.0.0.1" {
			t.Errorf("it came from %s", r.RemoteAddr)
		}
	})
}
