package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, goleak.IgnoreCurrent()) }

// service is the example, running in this process.
type service struct {
	t      *testing.T
	host   string
	client *http.Client
}

func start(t *testing.T) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ran := make(chan error, 1)
	go func() {
		ran <- run(ctx, []string{"-addr", "127.0.0.1:0"}, in)
		_ = in.Close()
	}()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(strings.TrimSpace(line), "existing: http://")
	return &service{t: t, host: host, client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

// do sends a request with a session, unless that is nil, and returns the answer's body and cookies.
func (s *service) do(method, path, body string, session *http.Cookie, want int) (string, []*http.Cookie) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.host+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if session != nil {
		req.AddCookie(session)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != want {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, res.StatusCode, text, want)
	}
	return string(text), res.Cookies()
}

func (s *service) login(user string) *http.Cookie {
	s.t.Helper()
	_, cookies := s.do("POST", "/login?user="+user, "", nil, http.StatusNoContent)
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		s.t.Fatalf("login set %v", cookies)
	}
	return cookies[0]
}

func (s *service) dial(session *http.Cookie, header http.Header) (*websocket.Conn, int) {
	s.t.Helper()
	if header == nil {
		header = make(http.Header)
	}
	if session != nil {
		header.Set("Cookie", session.String())
	}
	ws, res, err := websocket.DefaultDialer.DialContext(s.t.Context(), "ws://"+s.host+"/ws", header)
	if res == nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	if err == nil {
		s.t.Cleanup(func() { _ = ws.Close() })
	}
	return ws, res.StatusCode
}

type frame struct {
	Op, Room, Code string
	ID             int
	Data           order
}

// ask sends a frame and returns the first with the op that it is answered or followed by.
func ask(t *testing.T, ws *websocket.Conn, text string, ops ...string) frame {
	t.Helper()
	if text != "" {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ws.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		var f frame
		if err := ws.ReadJSON(&f); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(ops, f.Op) {
			return f
		}
	}
}

func TestOrderArrives(t *testing.T) {
	s := start(t)
	ada, bob := s.login("ada"), s.login("bob")
	adaWS, _ := s.dial(ada, nil)
	bobWS, _ := s.dial(bob, nil)
	ask(t, adaWS, `{"op":"join","id":1,"room":"orders:ada"}`, "ok")
	ask(t, bobWS, `{"op":"join","id":1,"room":"orders:bob"}`, "ok")

	s.do("POST", "/orders", `{"item":"tea"}`, ada, http.StatusCreated)
	s.do("POST", "/orders", `{"item":"coffee"}`, bob, http.StatusCreated)
	if f := ask(t, adaWS, "", "message"); f.Data.Item != "tea" || f.Data.User != "ada" {
		t.Errorf("ada got %+v", f)
	}
	if f := ask(t, bobWS, "", "message"); f.Data.Item != "coffee" {
		t.Errorf("bob's first message is %+v, want his own", f)
	}
	var list []order
	body, _ := s.do("GET", "/orders", "", ada, http.StatusOK)
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 1 || list[0].Item != "tea" {
		t.Errorf("GET /orders: %s, %v", body, err)
	}
}

func TestOwnRoomOnly(t *testing.T) {
	s := start(t)
	ws, _ := s.dial(s.login("ada"), nil)
	for _, request := range []string{
		`{"op":"join","id":1,"room":"orders:bob"}`,
		`{"op":"join","id":1,"room":"orders:"}`,
		`{"op":"join","id":1,"room":"news"}`,
		`{"op":"publish","id":1,"room":"orders:ada","data":{"item":"forged"}}`,
	} {
		if f := ask(t, ws, request, "ok", "error"); f.Code != "forbidden" {
			t.Errorf("%s was answered with %+v, want forbidden", request, f)
		}
	}
}

func TestNoSession(t *testing.T) {
	s := start(t)
	s.do("POST", "/login?user=No%20Body", "", nil, http.StatusBadRequest)
	s.do("GET", "/orders", "", nil, http.StatusUnauthorized)
	s.do("POST", "/orders", `{"item":"tea"}`, nil, http.StatusUnauthorized)

	good := s.login("ada")
	forged := *good
	forged.Value = strings.Repeat("A", len(good.Value))
	for name, session := range map[string]*http.Cookie{"no cookie": nil, "forged": &forged, "empty": {Name: cookieName}} {
		if _, status := s.dial(session, nil); status != http.StatusUnauthorized {
			t.Errorf("%s: handshake answered with %d, want 401", name, status)
		}
	}
	if _, status := s.dial(good, http.Header{"Origin": {"https://evil.example"}}); status != http.StatusForbidden {
		t.Errorf("a page of another site: handshake answered with %d, want 403", status)
	}
	s.do("POST", "/orders", `{}`, good, http.StatusBadRequest)
}

func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions()
		name, _ := s.begin("ada", time.Now())
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: name})
		time.Sleep(lifetime - time.Second)
		if user, err := s.user(r); user != "ada" || err != nil {
			t.Errorf("before the end: %q, %v", user, err)
		}
		time.Sleep(time.Second)
		if user, err := s.user(r); err == nil {
			t.Errorf("afterwards: %q", user)
		}
	})
}

// TestTooManySessions: those that have expired make room.
func TestTooManySessions(t *testing.T) {
	s := newSessions()
	now := time.Now()
	for range maxSessions {
		if _, ok := s.begin("ada", now); !ok {
			t.Fatal("refused too early")
		}
	}
	if _, ok := s.begin("bob", now); ok {
		t.Error("there is no bound")
	}
	if _, ok := s.begin("bob", now.Add(lifetime)); !ok || len(s.known) != 1 {
		t.Errorf("%d sessions are left", len(s.known))
	}
}

// TestLoginFromAnotherSite: a foreign page cannot log its visitors in as somebody it knows.
func TestLoginFromAnotherSite(t *testing.T) {
	s := start(t)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.host+"/login?user=mallory", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.Header.Set("Origin", "https://evil.example")
		res, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode < 400 || len(res.Cookies()) > 0 {
			t.Errorf("%s: %d with %v", method, res.StatusCode, res.Cookies())
		}
	}
}

// Who logs out is disconnected everywhere, and told not to come back.
func TestLogout(t *testing.T) {
	s := start(t)
	ada := s.login("ada")
	first, _ := s.dial(ada, nil)
	second, _ := s.dial(ada, nil)
	bob, _ := s.dial(s.login("bob"), nil)
	_, cookies := s.do("POST", "/logout", "", ada, http.StatusNoContent)
	if len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logout left the cookie: %v", cookies)
	}
	for _, ws := range []*websocket.Conn{first, second} {
		if err := ws.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		var err error
		for err == nil {
			_, _, err = ws.ReadMessage()
		}
		if !websocket.IsCloseError(err, 4102) {
			t.Errorf("ada's connection ended with %v, want 4102", err)
		}
	}
	ask(t, bob, `{"op":"ping","id":9}`, "ok")

	// A copy of the cookie is of no use.
	s.do("POST", "/orders", `{"item":"tea"}`, ada, http.StatusUnauthorized)
	if _, status := s.dial(ada, nil); status != http.StatusUnauthorized {
		t.Errorf("handshake with the old cookie answered with %d, want 401", status)
	}
}

func TestPage(t *testing.T) {
	s := start(t)
	for path, holds := range map[string]string{"/": "<h1>Orders</h1>", "/orders.js": "new WebSocket"} {
		if body, _ := s.do("GET", path, "", nil, http.StatusOK); !strings.Contains(body, holds) {
			t.Errorf("GET %s: %.80q, without %q", path, body, holds)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"-addr", "nowhere"}} {
		if err := run(t.Context(), args, t.Output()); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}
