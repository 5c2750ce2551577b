package hub_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// TestPostOrigins: pages that may connect may POST, and read the answer.
func TestPostOrigins(t *testing.T) {
	var asked atomic.Int32
	s := start(t, hub.WithOpenRooms("*"), hub.WithOrigins("app.example.com"), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		asked.Add(1)
		return hub.Identity{}, nil
	}))
	p := s.posts(t)
	for _, tt := range []struct {
		origin, site string
		status       int
		readable     bool
	}{
		{"", "", 200, false},
		{p.http.URL, "same-origin", 200, true},
		{"https://app.example.com", "cross-site", 200, true},
		{"https://evil.example.com", "cross-site", 403, false},
		{"", "cross-site", 403, false},
		{"null", "cross-site", 403, false},
	} {
		header := as("")
		if tt.origin != "" {
			header.Set("Origin", tt.origin)
		}
		if tt.site != "" {
			header.Set("Sec-Fetch-Site", tt.site)
		}
		before := asked.Load()
		a := p.post("room=r", header, "1")
		if a.status != tt.status || (a.header.Get("Access-Control-Allow-Origin") == tt.origin && tt.origin != "") != tt.readable ||
			a.header.Get("Vary") != "Origin" || (asked.Load() > before) != (tt.status == 200) {
			t.Errorf("%q, %q: %d %s %v", tt.origin, tt.site, a.status, a.body, a.header)
		}
		header.Set("Access-Control-Request-Method", "POST")
		header.Set("Access-Control-Request-Headers", "content-type,x-own")
		before = asked.Load()
		a, err := p.do(t.Context(), http.MethodOptions, "room=r", header, nil)
		if err != nil || (a.status == 204) != (tt.status == 200) || (a.header.Get("Access-Control-Allow-Methods") == "POST") != tt.readable ||
			(a.header.Get("Access-Control-Allow-Headers") == "content-type,x-own") != tt.readable || asked.Load() != before {
			t.Errorf("preflight of %q, %q: %d %v, %v", tt.origin, tt.site, a.status, a.header, err)
		}
	}
}

// TestPostOverHTTP2: as over HTTP/1.1, and with TLS.
func TestPostOverHTTP2(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithMaxMessage(100), hub.WithReadTimeout(patience))
	p := s.postsOf(t, httptest.NewUnstartedServer(s.Post()), true)
	s.Handle("proto", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) { return json.RawMessage(data), nil })
	for range 3 {
		p.expect("method=proto", nil, `[2]`, 200, `{"op":"ok","data":[2]}`)
		p.expect("room=r", nil, "1", 200, `{"op":"ok","room":"r"}`)
		if a := p.post("room=r", nil, `"`+strings.Repeat("x", 200)+`"`); a.status != 413 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	a, err := p.do(t.Context(), http.MethodPost, "room=r", nil, io.MultiReader(strings.NewReader(strings.Repeat(" ", 201))))
	if err != nil || a.status != 413 {
		t.Errorf("too large, without a length: %d, %v", a.status, err)
	}
}
