package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// refusal asks for a stream that is refused.
func (p *streams) refused(method, query string, header http.Header, body string) answer {
	p.t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	a, err := p.do(p.t.Context(), method, query, header, from)
	if err != nil {
		p.t.Fatalf("%s ?%s: %v", method, query, err)
	}
	return a
}

// TestSSEBadInput: each parameter and header that is wrong is answered with an error that is documented, before the application is
// asked, and nobody else notices.
func TestSSEBadInput(t *testing.T) {
	var asked atomic.Int32
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
		if r.Header.Get("Upgrade") == "" {
			asked.Add(1)
		}
		return hub.Identity{}, nil
	}))
	stillServed := s.bystander(t, "elsewhere")
	p := s.streams(t)
	many := "room=r0"
	for i := range 32 {
		many += "&room=r" + strconv.Itoa(i+1)
	}
	id := func(id string) http.Header { return http.Header{"Last-Event-Id": {id}} }
	longNames := ""
	for i := range 12 {
		longNames += "&room=" + strconv.Itoa(i+10) + strings.Repeat("%2e", 253)
	}
	var cases int64
	for _, tt := range []struct {
		name, query string
		header      http.Header
		body        string
		code        string
	}{
		{"query that is none", "room=%zz", nil, "", "bad_request"},
		{"semicolon", "room=a;history=1", nil, "", "bad_request"},
		{"room without name", "room=", nil, "", "bad_room"},
		{"room with control character", "room=a%00b", nil, "", "bad_room"},
		{"room that is no UTF-8", "room=%ff", nil, "", "bad_room"},
		{"long room", "room=" + strings.Repeat("r", 256), nil, "", "bad_room"},
		{"a bad room behind a good one", "room=r&room=", nil, "", "bad_room"},
		{"room twice", "room=r&room=s&room=r", nil, "", "bad_request"},
		{"many rooms", many, nil, "", "bad_request"},
		{"long names together", longNames[1:], nil, "", "bad_request"},
		{"history that is no number", "room=r&history=all", nil, "", "bad_request"},
		{"negative history", "room=r&history=-1", nil, "", "bad_request"},
		{"large history", "room=r&history=2147483648", nil, "", "bad_request"},
		{"two histories", "room=r&history=1&history=1", nil, "", "bad_request"},
		{"session without name", "room=r&session=", nil, "", "bad_request"},
		{"long session", "room=r&session=" + strings.Repeat("x", 129), nil, "", "bad_request"},
		{"session with control character", "room=r&session=a%0ab", nil, "", "bad_request"},
		{"two tokens", "room=r&token=a&token=b", nil, "", "bad_request"},
		{"two headers with tokens", "room=r", as("", "Authorization", "Bearer a", "Authorization", "Bearer b"), "", "bad_request"},
		{"two ids", "room=r", as("", "Last-Event-Id", "1", "Last-Event-Id", "1"), "", "bad_request"},
		{"two ids in the query", "room=r&last_event_id=1&last_event_id=1", nil, "", "bad_request"},
		{"id of another server", "room=r", id("42"), "", "bad_request"},
		{"id of another version", "room=r", id("2,r=a.1"), "", "bad_request"},
		{"id without place", "room=r", id("1,r"), "", "bad_request"},
		{"id without offset", "room=r", id("1,r=a"), "", "bad_request"},
		{"id without epoch", "room=r", id("1,r=.1"), "", "bad_request"},
		{"id with a bad offset", "room=r", id("1,r=a.01"), "", "bad_request"},
		{"id with a large offset", "room=r", id("1,r=a.9007199254740992"), "", "bad_request"},
		{"id with a room twice", "room=r", id("1,r=a.1,r=a.2"), "", "bad_request"},
		{"id with a bad room", "room=r", id("1,=a.1"), "", "bad_request"},
		{"id with a bad escape", "room=r", id("1,r%2=a.1"), "", "bad_request"},
		{"id with an epoch that is no UTF-8", "room=r", id("1,r=%ff.1"), "", "bad_request"},
		{"id that ends in a comma", "room=r", id("1,"), "", "bad_request"},
		{"long id", "room=r", id("1,r=" + strings.Repeat("a", 8<<10) + ".1"), "", "bad_request"},
		{"id in the query", "room=r&last_event_id=nonsense", nil, "", "bad_request"},
		{"body", "room=r", nil, `{}`, "bad_request"},
	} {
		cases++
		if a := p.refused(http.MethodGet, tt.query, tt.header, tt.body); a.status != 400 || a.Code != tt.code || a.Op != "error" || a.Message == "" {
			t.Errorf("%s: %d %s, want %s", tt.name, a.status, a.body, tt.code)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, "BREW"} {
		if a := p.refused(method, "room=r", nil, ""); a.status != 405 || a.header.Get("Allow") != "GET, OPTIONS" {
			t.Errorf("%s: %d, %q", method, a.status, a.header.Get("Allow"))
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the authenticator was asked %d times", n)
	}
	stillServed()
	if n := s.Stats().Invalid; n != cases {
		t.Errorf("%d invalid requests counted, want %d", n, cases)
	}
	// What a client sends behind its request ends its stream, and no other.
	other := p.open("room=elsewhere", nil)
	other.named("joined")
	conn, err := net.Dial("tcp", p.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is over
	const request = "GET /?room=r HTTP/1.1\r\nHost: hub.test\r\n\r\n"
	for _, behind := range []string{"", "GET / HTTP/1.1\r\n"} { // later, and at once
		_, _ = io.WriteString(conn, request+behind)
		if behind == "" {
			buf := make([]byte, 1)
			if _, err := io.ReadFull(conn, buf); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, "more")
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		got, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(got), `"code":1003`) {
			t.Errorf("%q: %v", got, err)
		}
		if conn, err = net.Dial("tcp", p.http.Listener.Addr().String()); err != nil {
			t.Fatal(err)
		}
	}
	stillServed()
	other.expect("message", `{"op":"message","room":"elsewhere","data":"still here?"}`)
}

// TestSSERefused: a refused stream is answered with the status of a handshake. An EventSource, which would give up after 503, is told
// in a stream when to come back.
func TestSSERefused(t *testing.T) {
	refuse := map[string]error{
		"unauthorized": hub.ErrUnauthorized, "banned": &hub.HTTPError{Status: 451, Message: "no"},
		"later": &hub.HTTPError{Status: 503, Message: "not now", RetryAfter: 7 * time.Second}, "broken": errors.New("a database is away"),
	}
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
		return hub.Identity{User: "ada"}, refuse[r.Header.Get("X-User")]
	}), hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
		if token != "good" {
			return hub.Identity{}, hub.ErrUnauthorized
		}
		return hub.Identity{User: "ada"}, nil
	}))
	p := s.streams(t)
	for user, status := range map[string]int{"unauthorized": 401, "banned": 451, "later": 503, "broken": 503} {
		a := p.refused(http.MethodGet, "room=r&token=good", as(user), "")
		if a.status != status || (status == 503) != (a.header.Get("Retry-After") != "") {
			t.Errorf("%s: %d %v %s", user, a.status, a.header, a.body)
		}
		if status != 503 {
			continue
		}
		e := p.open("room=r&token=good", as(user, "Accept", "text/event-stream"))
		c := e.closes(protocol.CloseTryAgainLater)
		if least := time.Duration(c.Retry) * time.Millisecond; e.retry < int(least.Milliseconds()) || int64(e.retry) > c.Retry+c.Spread || c.Spread == 0 {
			t.Errorf("%s: retry %d, %+v", user, e.retry, c)
		}
	}
	for query, header := range map[string]http.Header{"room=r": nil, "room=r&token=bad": nil, "room=r&token=good": as("", "Authorization", "bearer bad")} {
		if a := p.refused(http.MethodGet, query, header, ""); a.status != 401 || a.Code != "unauthorized" {
			t.Errorf("%s %v: %d %s", query, header, a.status, a.body)
		}
	}
	p.open("room=r&token=good", nil).named("joined")
	p.open("room=r&token=bad", as("", "Authorization", "Bearer good")).named("joined")
	if a := p.refused(http.MethodGet, "room=r", as("", "Origin", "https://evil.test"), ""); a.status != 403 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %d %v", a.status, a.header)
	}
	if raw := start(t, hub.WithRaw()).streams(t).refused(http.MethodGet, "room=r", as("", "Accept", "text/event-stream"), ""); raw.status != 501 {
		t.Errorf("a raw hub: %d", raw.status)
	}
}

// TestSSECrossOrigin: a page of an allowed origin may read, with the headers that it wants to send.
func TestSSECrossOrigin(t *testing.T) {
	p := start(t, hub.WithOpenRooms("*"), hub.WithOrigins("https://app.test")).streams(t)
	e := p.open("room=r", as("", "Origin", "https://app.test"))
	if e.header.Get("Access-Control-Allow-Origin") != "https://app.test" || e.header.Get("Access-Control-Allow-Credentials") != "true" ||
		!strings.Contains(strings.Join(e.header["Vary"], ","), "Origin") {
		t.Errorf("%v", e.header)
	}
	a := p.refused(http.MethodOptions, "room=r", as("", "Origin", "https://app.test", "Access-Control-Request-Headers", "authorization,last-event-id"), "")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Methods") != "GET" ||
		a.header.Get("Access-Control-Allow-Headers") != "authorization,last-event-id" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
}

// TestSSEAdmission: streams count where connections do, and are put off in the same way.
func TestSSEAdmission(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithMaxConns(1))
	p := s.streams(t)
	first := p.open("room=r", nil)
	first.named("joined")
	if a := p.refused(http.MethodGet, "room=r", nil, ""); a.status != 503 || a.header.Get("Retry-After") == "" || !a.closes {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	p.open("room=r", as("", "Accept", "text/event-stream")).closes(protocol.CloseTryAgainLater)
	if r := s.refused(t, nil); r.status != 503 {
		t.Errorf("a handshake: %+v", r)
	}
	_ = first.release()
	await(t, "there is a place", func() bool { conns, _ := s.Tickets(); return conns == 0 })
	p.open("room=r", nil).named("joined")
}

// TestSSERooms: what becomes of rooms that cannot be joined, or not now.
func TestSSERooms(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithCompression(1, 1), hub.WithAuthenticator(asUser), hub.WithRooms("kept:*", hub.DefaultHistory()))
		s := p.server
		s.OnJoin(func(_ context.Context, _ *hub.Conn, room string) error {
			switch room {
			case "secret":
				return hub.ErrForbidden
			case "later":
				return &hub.Error{Code: protocol.CodeUnavailable, Message: "not now", RetryAfter: 9 * time.Second}
			}
			return nil
		})
		header := encoding(compressed)
		header.Set("X-User", "ada")
		e := p.open("room=secret&room=open", header)
		e.named("welcome")
		e.expect("refused", `{"op":"error","room":"secret","code":"forbidden","message":"not allowed"}`)
		e.expect("joined", `{"op":"joined","room":"open"}`)

		none := p.open("room=secret", header)
		none.named("refused")
		none.closes(protocol.CloseForbidden)

		later := p.open("room=open&room=later", header)
		later.named("joined")
		later.named("refused")
		if c := later.closes(protocol.CloseTryAgainLater); c.Retry != 9000 || later.retry < 9000 {
			t.Errorf("%+v, retry %d", c, later.retry)
		}

		// A room is taken away, and its place is no longer in the ids.
		both := p.open("room=kept:a&room=kept:b", header)
		both.named("joined")
		if id := both.named("joined").id; !strings.Contains(id, "kept:a=") || !strings.Contains(id, "kept:b=") {
			t.Errorf("id %q", id)
		}
		if err := s.RemoveFromRoom(t.Context(), hub.ByUser("ada"), "kept:a", "no longer"); err != nil {
			t.Fatal(err)
		}
		left := both.named("left")
		if f := left.frame(t); string(f.Room) != "kept:a" || strings.Contains(left.id, "kept:a=") || !strings.Contains(left.id, "kept:b=") {
			t.Errorf("%s", left)
		}
		// The application adds rooms.
		if err := s.JoinUser(t.Context(), "ada", "kept:c"); err != nil {
			t.Fatal(err)
		}
		joined := both.named("joined")
		if f := joined.frame(t); string(f.Room) != "kept:c" || !strings.Contains(joined.id, "kept:b=") || !strings.Contains(joined.id, "kept:c=") {
			t.Errorf("%s", joined)
		}
		// When it comes back, the application has not joined kept:c again.
		_ = both.release()
		again := encoding(compressed)
		again.Set("Last-Event-ID", joined.id)
		back := p.open("room=kept:b", again)
		back.named("joined")
		if left := back.named("left"); left.data != `{"op":"left","room":"kept:c","code":"removed","message":"the application has not joined the room again"}` ||
			strings.Contains(left.id, "kept:c") {
			t.Errorf("%s", left)
		}
	})
}

// TestSSEIDsAreBounded: a stream is in no more rooms than its ids can tell of.
func TestSSEIDsAreBounded(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithMaxRooms(100), hub.WithRooms("*", hub.DefaultHistory()))
	result := make(chan error, 1)
	s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		for i := range 40 {
			if err := c.Join(ctx, fmt.Sprintf("%02d%s", i, strings.Repeat("ä", 20))); err != nil {
				result <- fmt.Errorf("%d: %w", i, err)
				return nil
			}
		}
		result <- nil
		return nil
	})
	e := s.streams(t).open("", nil)
	if err := receive(t, "the last Join", result); !errors.Is(err, hub.ErrTooManyRooms) || !strings.HasPrefix(err.Error(), "32: ") {
		t.Errorf("%v", err)
	}
	last := event{}
	e.named("welcome")
	for range 32 {
		last = e.named("joined")
	}
	if len(last.id) > 8<<10 || strings.Count(last.id, "=") != 32 {
		t.Errorf("an id of %d bytes: %s", len(last.id), last.id)
	}
	if a := s.streams(t).open("last_event_id="+url.QueryEscape(last.id), nil); a.status != 200 {
		t.Errorf("%d", a.status)
	}
}

// TestSSEHistory: a stream may begin with the newest messages, unless it says where it was.
func TestSSEHistory(t *testing.T) {
	p := start(t, hub.WithOpenRooms("*"), hub.WithRooms("kept", hub.DefaultHistory())).streams(t)
	for i := range 5 {
		if _, err := p.server.Publish(t.Context(), "kept", []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	e := p.open("room=kept&room=plain&history=2", nil)
	e.named("joined")
	third := e.named("message")
	if f := third.frame(t); string(f.Data) != "3" || f.Position.Offset != 4 {
		t.Errorf("%s", third)
	}
	e.named("message")
	e.expect("joined", `{"op":"joined","room":"plain"}`)
	back := p.open("room=kept&history=1&last_event_id="+url.QueryEscape(strings.TrimSuffix(third.id, "4")+"1"), nil)
	back.named("joined")
	for i := 1; i < 5; i++ {
		if f := back.named("message").frame(t); string(f.Data) != strconv.Itoa(i) {
			t.Errorf("%+v", f)
		}
	}
	lost := p.open("room=kept", as("", "Last-Event-Id", "1,kept=another.3"))
	lost.named("joined")
	gap := lost.named("gap")
	var g struct {
		Op    string
		Epoch string
	}
	if err := json.Unmarshal([]byte(gap.data), &g); err != nil || gap.id != "1,kept="+g.Epoch+".5" {
		t.Errorf("%s", gap)
	}
}
