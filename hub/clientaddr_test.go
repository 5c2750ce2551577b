package hub_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

func TestClientAddr(t *testing.T) {
	tests := []struct {
		name    string
		trusted []string
		header  string
		want    string
	}{
		{"nobody trusted", nil, "203.0.113.9", "127.0.0.1"},
		{"trusted", []string{"127.0.0.1"}, "198.51.100.7, 203.0.113.9", "203.0.113.9"},
		{"two trusted", []string{"127.0.0.0/8", "203.0.113.9"}, "2001:db8::1, 203.0.113.9", "2001:db8::1"},
		{"trusted, without the header", []string{"127.0.0.1"}, "", "127.0.0.1"},
		{"another is trusted", []string{"10.0.0.1"}, "203.0.113.9", "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				var opts []hub.Option
				if tt.trusted != nil {
					opts = one(hub.WithTrustedProxies(tt.trusted...))
				}
				s := tr.start(t, opts...)
				asked := make(chan string, 1)
				s.OnHandshake(func(r *http.Request, _ *hub.Conn) error {
					asked <- s.ClientAddr(r).String()
					return nil
				})
				conns := make(chan *hub.Conn, 1)
				s.OnConnect(func(_ context.Context, c *hub.Conn) error {
					conns <- c
					return nil
				})
				header := http.Header{}
				if tt.header != "" {
					header.Set("X-Forwarded-For", tt.header)
				}
				s.connect(t, header).welcomed()
				c := receive(t, "OnConnect", conns)
				if got := receive(t, "OnHandshake", asked); got != tt.want || c.ClientAddr().String() != tt.want {
					t.Errorf("got %v in the handshake and %v after, want %v", got, c.ClientAddr(), tt.want)
				}
				if got := c.RemoteAddr().String(); !strings.HasPrefix(got, "127.0.0.1:") {
					t.Errorf("RemoteAddr %v", got)
				}
			})
		})
	}
}

// TestMaxPerIPBehindProxy: clients are told apart by what a trusted proxy says, IPv6 ones by their /64, and by nothing
// that they say themselves.
func TestMaxPerIPBehindProxy(t *testing.T) {
	from := func(addr string) http.Header { return http.Header{"X-Forwarded-For": {addr}} }
	s := start(t, hub.WithMaxPerIP(1), hub.WithTrustedProxies("127.0.0.1"))
	s.connect(t, from("203.0.113.1")).welcomed()
	s.connect(t, from("203.0.113.1, 203.0.113.2")).welcomed()
	s.connect(t, from("2001:db8::1")).welcomed()
	s.connect(t, from("2001:db8:0:1::1")).welcomed()
	for _, again := range []string{"203.0.113.1", "9.9.9.9, 203.0.113.2", "2001:db8::2", "2001:db8:0:1:ffff::"} {
		if got := s.refused(t, from(again)); got.status != http.StatusServiceUnavailable {
			t.Errorf("%s: %+v", again, got)
		}
	}
	if n := s.Stats().Admission.Addresses; n != 4 {
		t.Errorf("%d addresses", n)
	}
	untrusting := start(t, hub.WithMaxPerIP(1))
	untrusting.connect(t, from("203.0.113.1")).welcomed()
	untrusting.refused(t, from("203.0.113.2"))
}
