package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

func TestHub(t *testing.T) {
	t.Parallel()
	for _, more := range [][]string{{"-procs", "3"}, {"-portable"}} {
		t.Run(more[0], func(t *testing.T) {
			t.Parallel()
			page := filepath.Join(t.TempDir(), "report.html")
			r := hubload(t, append([]string{serveHub(t), "-conns", "61", "-rooms", "7", "-rooms-per-conn", "3", "-rate", "150",
				"-duration", "1s", "-publishers", "2", "-html", page, "-ping", "200ms",
				"-max-failed", "0", "-max-closed", "0", "-max-loss", "0", "-max-late", "0", "-max-errors", "0",
				"-max-connect-p99", "30s", "-max-delivery-p99", "30s", "-max-ping-p99", "30s"}, more...)...)
			r.expect(t, 0)
			c, p, d := r.result.Connections, r.result.Publishes, r.result.Deliveries
			if c.Peak != 61 || c.AtEnd != 61 || c.Connect.Count != 61 {
				t.Errorf("connections %+v", c)
			}
			if p.Sent != 150 || p.Accepted != 150 {
				t.Errorf("publishes %+v", p)
			}
			// 183 memberships of 7 rooms: 26 each, and 27 in the first; 150 messages: 22 in the first three, 21 in the rest.
			if want := int64(26*150 + 22); d.Expected != want || d.Received != want || d.Latency.Count != want {
				t.Errorf("deliveries %+v, want %d", d, want)
			}
			if n := r.result.Pings; n.Answered == 0 || n.Trip.Count != n.Answered {
				t.Errorf("pings %+v", n)
			}
			if len(r.result.Thresholds) != 8 || len(r.result.Timeline) == 0 {
				t.Errorf("%d thresholds, %d points", len(r.result.Thresholds), len(r.result.Timeline))
			}
			if strings.Contains(r.stdout, "\x1b") || !strings.Contains(r.stdout, "measuring") {
				t.Errorf("not plain lines: %q", r.stdout)
			}
			selfContained(t, page)
		})
	}
}

// selfContained fails the test where a page would load something.
func selfContained(t *testing.T, file string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?i)(src|href)\s*=|@import|url\(|<link|fetch\(|XMLHttpRequest`).Find(page); found != nil {
		t.Errorf("the page has %q in it", found)
	}
	for _, want := range []string{"uPlot", "delivered_per_second", "All thresholds held", "</html>"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	var headers atomic.Int64
	h, err := hub.New(hub.WithOpenRooms("*"), hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
		if token != "secret" {
			return hub.Identity{}, hub.ErrUnauthorized
		}
		return hub.Identity{User: "u"}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") == "k" && r.URL.Query().Get("n") != "" {
			headers.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		s.Close()
	}()
	url := "wss" + strings.TrimPrefix(s.URL, "https") + "/ws?n={conn}"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	common := []string{url, "-conns", "5", "-duration", "500ms", "-rate", "20", "-header", "X-Key: k", "-max-loss", "0"}
	r := hubload(t, append(common, "-insecure", "-token", "@"+file)...)
	r.expect(t, 0)
	if r.result.Deliveries.Received != 50 || headers.Load() != 5 {
		t.Errorf("%d deliveries, %d handshakes with the header", r.result.Deliveries.Received, headers.Load())
	}
	if b := r.stdout + r.stderr; strings.Contains(b, "secret") {
		t.Error("the token is shown")
	}
	r = hubload(t, append(common, "-insecure", "-token", "other")...)
	r.expect(t, 3)
	if !strings.Contains(r.result.Fault, "4100") {
		t.Errorf("fault %q", r.result.Fault)
	}
	r = hubload(t, common...)
	r.expect(t, 3)
	if !strings.Contains(r.result.Fault, "certificate") {
		t.Errorf("fault %q", r.result.Fault)
	}
}

func TestForbiddenRoomsAreNamed(t *testing.T) {
	t.Parallel()
	r := hubload(t, serveHub(t, hub.WithOpenRooms("public")), "-conns", "3", "-duration", "200ms", "-room", "public", "-max-failed", "0")
	r.expect(t, 0)
	r = hubload(t, serveRaw(t, &rawServer{}), "-conns", "3", "-duration", "200ms")
	r.expect(t, 3)
	if !strings.Contains(r.result.Fault, "-raw") {
		t.Errorf("fault %q does not name -raw", r.result.Fault)
	}
}

// A publisher that is held to its rate is refused: that is no loss, but an error.
func TestRefusedPublishes(t *testing.T) {
	t.Parallel()
	r := hubload(t, serveHub(t, hub.WithRateLimit(20, 5)), "-conns", "4", "-duration", "1s", "-rate", "40", "-publishers", "1",
		"-max-loss", "0", "-max-errors", "0")
	r.expect(t, 1)
	p := r.result.Publishes
	if p.Refused == 0 || p.Sent != p.Accepted+p.Refused+p.Unanswered || p.Errors["publish: rate_limited"] == 0 {
		t.Errorf("publishes %+v", p)
	}
}

func TestRaw(t *testing.T) {
	t.Parallel()
	const sent = 100
	tests := []struct {
		name   string
		server *rawServer
		args   []string
		status int
		check  func(t *testing.T, r ran)
	}{
		{"echo", &rawServer{}, []string{"-raw", "echo", "-frame", `{"n":{conn},"text":"{payload}"}`, "-max-loss", "0"}, 0, func(t *testing.T, r ran) {
			if d := r.result.Deliveries; d.Expected != sent || d.Received != sent || d.Repeated+d.OutOfOrder != 0 {
				t.Errorf("%+v", d)
			}
		}},
		{"echo, every tenth dropped", &rawServer{drop: every(10)}, []string{"-raw", "echo", "-max-loss", "9", "-grace", "3s"}, 1, func(t *testing.T, r ran) {
			if d := r.result.Deliveries; d.Expected != sent || d.Received != sent-sent/10 || d.Lost != sent/10 {
				t.Errorf("%+v", d)
			}
		}},
		{"that share allowed", &rawServer{drop: every(10)}, []string{"-raw", "echo", "-max-loss", "10%", "-grace", "3s"}, 0, func(*testing.T, ran) {}},
		{"echo, every tenth twice, one dropped", &rawServer{twice: every(10), drop: func(n int64) bool { return n == 5 }},
			[]string{"-raw", "echo", "-max-late", "0", "-grace", "3s"}, 1, func(t *testing.T, r ran) {
				if d := r.result.Deliveries; d.Received != sent-1 || d.Repeated != sent/10 || d.Lost != 1 {
					t.Errorf("%+v: a message that comes twice must not make up for a lost one", d)
				}
			}},
		{"echo, out of order", &rawServer{swap: every(10)}, []string{"-raw", "echo", "-conns", "1", "-max-late", "0", "-grace", "3s"}, 1, func(t *testing.T, r ran) {
			// The last one has none behind it that would bring it out.
			if d := r.result.Deliveries; d.OutOfOrder != sent/10-1 || d.Lost != 1 {
				t.Errorf("%+v", d)
			}
		}},
		{"connect", &rawServer{}, []string{"-raw", "connect", "-ping", "100ms", "-max-ping-p99", "30s", "-max-failed", "0"}, 0, func(t *testing.T, r ran) {
			if p := r.result.Pings; p.Answered < 5 {
				t.Errorf("%+v", p)
			}
		}},
		{"all refused", &rawServer{refuse: every(1)}, []string{"-raw", "connect"}, 3, func(t *testing.T, r ran) {
			if !strings.Contains(r.result.Fault, "HTTP 503") || r.result.Connections.Failed != 10 {
				t.Errorf("fault %q, %+v", r.result.Fault, r.result.Connections)
			}
		}},
		{"half refused", &rawServer{refuse: every(2)}, []string{"-raw", "connect", "-max-failed", "4"}, 1, func(t *testing.T, r ran) {
			if c := r.result.Connections; c.Unready != 5 || c.Peak != 5 || c.Failures["HTTP 503 Service Unavailable"] != 5 {
				t.Errorf("%+v", c)
			}
		}},
		{"half refused, all come back", &rawServer{refuse: func(n int64) bool { return n <= 5 }},
			[]string{"-raw", "connect", "-reconnect", "-max-failed", "0"}, 0, func(t *testing.T, r ran) {
				if c := r.result.Connections; c.Peak != 10 || c.Failed != 5 || c.Attempts != 15 {
					t.Errorf("%+v", c)
				}
			}},
		{"one is closed", &rawServer{closeAfter: 3}, []string{"-raw", "echo", "-max-closed", "0", "-grace", "3s"}, 1, func(t *testing.T, r ran) {
			if c := r.result.Connections; c.Closed != 1 || c.AtEnd != 9 || c.Closes["close code 1012 service restart"] != 1 {
				t.Errorf("%+v", c)
			}
		}},
		{"one is closed and comes back", &rawServer{closeAfter: 3}, []string{"-raw", "echo", "-reconnect", "-duration", "3s", "-grace", "3s"}, 0, func(t *testing.T, r ran) {
			if c := r.result.Connections; c.Closed != 1 || c.AtEnd != 10 || c.Reconnected != 1 {
				t.Errorf("%+v", c)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := []string{serveRaw(t, tt.server), "-conns", "10", "-duration", "1s"}
			if tt.args[1] == "echo" {
				args = append(args, "-rate", "100")
			}
			r := hubload(t, append(args, tt.args...)...)
			r.expect(t, tt.status)
			tt.check(t, r)
		})
	}
}

func TestRawBroadcast(t *testing.T) {
	t.Parallel()
	r := hubload(t, serveRooms(t), "-raw", "broadcast", "-conns", "12", "-rooms", "3", "-publishers", "1", "-rate", "60", "-duration", "1s",
		"-hello", "hi from {room}", "-max-loss", "0", "-max-late", "0")
	r.expect(t, 0)
	if d := r.result.Deliveries; d.Expected != 60*4 || d.Received != 60*4 || d.Foreign != 0 {
		t.Errorf("%+v", d)
	}
}
