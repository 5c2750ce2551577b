package client_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/gohubkit/hubkit/client"
)

// A cookie of the handshake comes back with the next, and the newer one replaces the older. That is what brings a
// client back to its node.
func TestCookiesComeBack(t *testing.T) {
	tests := []struct {
		name string
		opts []client.Option
		sent string // with every handshake
	}{
		{"by default", nil, ""},
		{"beside a header's", []client.Option{client.WithHeader(http.Header{"Cookie": {"session=s1"}})}, "session=s1; "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			set := make(chan string, 3) // one for each handshake
			for _, node := range []string{"node=a; HttpOnly", "node=b; Path=/", ""} {
				set <- node
			}
			close(set) // a handshake beyond these sets none
			s.answer(func(w http.ResponseWriter, _ *http.Request) bool {
				if c := <-set; c != "" {
					w.Header().Set("Set-Cookie", c)
				}
				return false
			})
			run(t, newClient(t, s.url, tt.opts...))
			for i, want := range []string{"", "node=a", "node=b"} {
				p, _ := s.greet()
				if want = tt.sent + want; i == 0 {
					want = tt.sent[:max(0, len(tt.sent)-2)]
				}
				if got := p.header.Get("Cookie"); got != want {
					t.Errorf("handshake %d: cookies %q, want %q", i, got, want)
				}
				p.cut()
			}
		})
	}
}

// The cookie of an answer that refuses is kept as well: it may be that of the load balancer.
func TestCookieOfARefusal(t *testing.T) {
	s := newServer(t)
	first := true
	s.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		if !first {
			return false
		}
		first = false
		w.Header().Set("Set-Cookie", "lb=2")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	run(t, newClient(t, s.url))
	if p, _ := s.greet(); p.header.Get("Cookie") != "lb=2" {
		t.Errorf("cookies %q", p.header.Get("Cookie"))
	}
}

// A jar that was filled by a login is sent from.
func TestWithCookies(t *testing.T) {
	s := newServer(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site, err := url.Parse("http" + s.url[len("ws"):])
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(site, []*http.Cookie{{Name: "session", Value: "s1"}, {Name: "other", Value: "x", Path: "/other"}})
	run(t, newClient(t, s.url, client.WithCookies(jar)))
	if p, _ := s.greet(); p.header.Get("Cookie") != "session=s1" {
		t.Errorf("cookies %q", p.header.Get("Cookie"))
	}
}
