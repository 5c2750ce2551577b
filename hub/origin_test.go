package hub_test

import (
	"net/http"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// TestOriginSchemeAndPort: a page of another scheme or port is another origin; a default port is none.
func TestOriginSchemeAndPort(t *testing.T) {
	proxied := start(t, hub.WithTrustedProxies("127.0.0.1"), hub.WithOrigins("app.example.com", "http://dev.example.com", "localhost:5173"))
	for _, tt := range []struct {
		host, origin, proto string
		ok                  bool
	}{
		{"example.com:443", "https://example.com", "", true},
		{"example.com:80", "http://example.com", "", true},
		{"example.com:443", "http://example.com", "", false},
		{"example.com", "https://example.com:8443", "", false},
		{"example.com", "http://example.com", "https", false},
		{"example.com", "https://example.com", "https", true},
		{"example.com", "https://example.com", "http", false},
		{"ws.example.com", "https://app.example.com", "", true},
		{"ws.example.com", "http://app.example.com", "", false},
		{"ws.example.com", "http://dev.example.com", "", true},
		{"ws.example.com", "https://dev.example.com", "", false},
		{"ws.example.com", "http://localhost:5173", "", true},
	} {
		header := http.Header{"Host": {tt.host}, "Origin": {tt.origin}}
		if tt.proto != "" {
			header.Set("X-Forwarded-Proto", tt.proto)
		}
		if tt.ok {
			proxied.connect(t, header).welcomed()
		} else if r := proxied.refused(t, header); r.status != http.StatusForbidden {
			t.Errorf("%+v: %+v", tt, r)
		}
	}
}

func TestOriginsThatNeverMatch(t *testing.T) {
	for _, s := range []string{"", "null", "a b", "https://", "ftp://a", "https://a/", "a:443", "http://a:80"} {
		if h, err := hub.New(hub.WithOrigins(s)); err == nil {
			_ = h.Close()
			t.Errorf("%q was accepted", s)
		}
	}
}
