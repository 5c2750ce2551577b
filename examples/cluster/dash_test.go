package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// TestDashboard: it is for whoever sits at the machine, whatever proxies say.
func TestDashboard(t *testing.T) {
	h, err := hub.New(hub.WithTrustedProxies("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	handler, err := routes(h, func() {})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr, forwarded string
		status          int
	}{
		{"127.0.0.1:4000", "", 200},
		{"127.0.0.1:4000", "127.0.0.1", 200},
		{"127.0.0.1:4000", "192.0.2.1", 403},
		{"192.0.2.1:4000", "", 403},
		{"192.0.2.1:4000", "127.0.0.1", 403},
	} {
		for _, path := range []string{"/dash/", "/dash/dash.js", "/dash/api/nodes"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			r.RemoteAddr = c.addr
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != c.status {
				t.Errorf("%s from %s for %q: %d", path, c.addr, c.forwarded, w.Code)
			}
		}
	}
}
