package hub_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

func TestAffinity(t *testing.T) {
	with := func(a hub.Affinity) []hub.Option { return one(hub.WithAffinity(a), hub.WithNode("eu-1")) }
	https := http.Header{"X-Forwarded-Proto": {"https"}}
	tests := []struct {
		name   string
		over   transport
		header http.Header // of the request
		opts   []hub.Option
		want   http.Header // among the response's
	}{
		{"not asked for", poller, nil, one(hub.WithNode("eu-1")), http.Header{"Set-Cookie": nil, "X-Hubkit-Node": nil}},
		{"default", poller, nil, with(hub.Affinity{}), http.Header{
			"Set-Cookie":    {"hubkit_node=eu-1; Path=/; HttpOnly; SameSite=Lax"},
			"X-Hubkit-Node": {"eu-1"},
		}},
		{"by TLS", overTLS, nil, with(hub.Affinity{}), http.Header{
			"Set-Cookie": {"hubkit_node=eu-1; Path=/; HttpOnly; Secure; SameSite=Lax"},
		}},
		{"anybody can say that it was https", poller, https, with(hub.Affinity{}), http.Header{
			"Set-Cookie": {"hubkit_node=eu-1; Path=/; HttpOnly; SameSite=Lax"},
		}},
		{"one that is trusted says so", poller, https, append(with(hub.Affinity{}), hub.WithTrustedProxies("127.0.0.1")), http.Header{
			"Set-Cookie": {"hubkit_node=eu-1; Path=/; HttpOnly; Secure; SameSite=Lax"},
		}},
		{"somebody else is trusted", poller, https, append(with(hub.Affinity{}), hub.WithTrustedProxies("10.0.0.1")), http.Header{
			"Set-Cookie": {"hubkit_node=eu-1; Path=/; HttpOnly; SameSite=Lax"},
		}},
		{"one that is trusted says http", poller, http.Header{"X-Forwarded-Proto": {"http"}},
			append(with(hub.Affinity{}), hub.WithTrustedProxies("127.0.0.1")), http.Header{
				"Set-Cookie": {"hubkit_node=eu-1; Path=/; HttpOnly; SameSite=Lax"},
			}},
		{"behind a proxy that ends TLS", poller, nil, with(hub.Affinity{Secure: true}), http.Header{
			"Set-Cookie": {"hubkit_node=eu-1; Path=/; HttpOnly; Secure; SameSite=Lax"},
		}},
		{"all of it", poller, nil, with(hub.Affinity{
			Cookie: "__Secure-at", Path: "/ws", MaxAge: time.Hour, SameSite: http.SameSiteNoneMode, Secure: true, Header: "at",
		}), http.Header{
			"Set-Cookie":    {"__Secure-at=eu-1; Path=/ws; Max-Age=3600; HttpOnly; Secure; SameSite=None"},
			"At":            {"eu-1"},
			"X-Hubkit-Node": nil,
		}},
		{"raw hub", goroutines, nil, append(with(hub.Affinity{SameSite: http.SameSiteStrictMode}), hub.WithRaw()), http.Header{
			"Set-Cookie": {"hubkit_node=eu-1; Path=/; HttpOnly; SameSite=Strict"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.over.start(t, tt.opts...)
			for range 2 { // what is sent is made once
				ws, res, err := s.dialer().Dial(s.url, tt.header)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				_ = ws.Close()
				for name, want := range tt.want {
					if got := res.Header[name]; !slices.Equal(got, want) {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
			}
		})
	}
}

// Who is turned away is not told to come back to this node.
func TestNoAffinityForTheRefused(t *testing.T) {
	s := start(t, hub.WithAffinity(hub.Affinity{}), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		return hub.Identity{}, &hub.HTTPError{Status: http.StatusServiceUnavailable, Message: "full"}
	}))
	ws, res, err := s.dialer().Dial(s.url, nil)
	if err == nil {
		_ = ws.Close()
		t.Fatal("accepted")
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s with the cookie %q", res.Status, res.Header.Get("Set-Cookie"))
	}
}
