package hub_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// deaf is a ResponseWriter whose connection takes no answer any more once it is hijacked.
type deaf struct{ http.ResponseWriter }

func (d deaf) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(d.ResponseWriter).Hijack()
	if err == nil {
		err = c.(*net.TCPConn).CloseWrite()
	}
	return c, rw, err
}

// TestLostDuringHandshake: a client that is gone before its handshake is answered was never there, and takes
// nobody else with it.
func TestLostDuringHandshake(t *testing.T) {
	for _, tr := range []transport{poller, goroutines} {
		t.Run(tr.name, func(t *testing.T) {
			s := tr.start(t)
			first := s.dial(t)
			lossy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.ServeHTTP(deaf{w}, r)
			}))
			defer lossy.Close()
			for range 10 {
				ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(lossy.URL, "http"), nil)
				if resp != nil {
					_ = resp.Body.Close()
				}
				if err == nil {
					_ = ws.Close()
					t.Fatal("a handshake without an answer succeeded")
				}
			}
			first.alive()
			s.dial(t).alive()
			await(t, "the lost ones are gone", func() bool { return s.Stats().Conns == 2 })
		})
	}
}
