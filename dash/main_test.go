package dash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) {
	// Package ants, under the worker pool, starts goroutines when it is imported.
	testenv.Main(m, goleak.IgnoreCurrent())
}

// site is a node: a hub, and its dashboard in a folder that needs a login.
type site struct {
	t    *testing.T
	hub  *hub.Hub
	dash *dash.Dash
	url  string // of the dashboard
	http *httptest.Server
	logs *logs
}

func allow(*http.Request) error                    { return nil }
func allowAction(*http.Request, dash.Action) error { return nil }
func allowRoom(*http.Request, string) error        { return nil }

// start starts a node. Clients are who their parameter "user" says.
func start(t *testing.T, hubOpts []hub.Option, opts ...dash.Option) *site {
	t.Helper()
	h, err := hub.New(append([]hub.Option{
		hub.WithOpenRooms("*"), hub.WithLogger(slog.New(slog.DiscardHandler)),
		hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			return hub.Identity{User: r.URL.Query().Get("user")}, nil
		}),
	}, hubOpts...)...)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, hub: h, logs: &logs{}}
	t.Cleanup(func() { _ = h.Close() })
	s.dash, err = dash.New(h, append([]dash.Option{dash.WithAuthorizer(allow), dash.WithLogger(slog.New(slog.NewTextHandler(s.logs, nil)))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.Handle("/admin/hub/", s.dash)
	s.http = httptest.NewServer(mux)
	s.url = s.http.URL + "/admin/hub/"
	t.Cleanup(s.http.Close)
	return s
}

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// join connects a user and joins rooms.
func (s *site) join(user string, rooms ...string) *websocket.Conn {
	s.t.Helper()
	ws, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+"/ws?user="+user, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	s.t.Cleanup(func() { _ = ws.Close() })
	await(s.t, ws, "welcome")
	for i, room := range rooms {
		if err := ws.WriteJSON(map[string]any{"op": "join", "id": i + 1, "room": room}); err != nil {
			s.t.Fatal(err)
		}
		await(s.t, ws, "ok")
	}
	return ws
}

// await reads up to a frame; the next one if op is empty.
func await(t *testing.T, ws *websocket.Conn, op string) (frame map[string]any) {
	t.Helper()
	if err := ws.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		frame = nil
		if err := ws.ReadJSON(&frame); err != nil {
			t.Fatalf("waiting for %s: %v", op, err)
		}
		if frame["op"] == op || op == "" {
			return frame
		}
	}
}

// reply is what do leaves of an answer.
type reply struct {
	StatusCode int
	Status     string
	Header     http.Header
}

// do sends a request and decodes the answer, which must be JSON and not be kept.
func (s *site) do(method, path, body string, header http.Header, into any) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
		if name == "Host" {
			r.Host = values[0]
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		s.t.Errorf("%s %s: Cache-Control is %q", method, path, got)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return reply{res.StatusCode, res.Status, res.Header}
}

type failure struct {
	Error struct{ Code, Message string }
}

// get decodes an answer with status 200.
func (s *site) get(path string, into any) {
	s.t.Helper()
	if res := s.do(http.MethodGet, path, "", nil, into); res.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s", path, res.Status)
	}
}

// ours is the header of an action of the page's.
func ours() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "X-Hubkit-Dash": {"1"}}
}

func (s *site) post(path, body string, into any) reply {
	s.t.Helper()
	return s.do(http.MethodPost, path, body, ours(), into)
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func names(n int, format string) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}
