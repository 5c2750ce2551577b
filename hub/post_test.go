package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// posts serves the hub's Post beside the hub.
type posts struct {
	t      testing.TB
	http   *httptest.Server
	client *http.Client
}

func (s *server) posts(t testing.TB) *posts {
	t.Helper()
	return s.postsOf(t, httptest.NewUnstartedServer(s.Post()), false)
}

func (s *server) postsOf(t testing.TB, server *httptest.Server, two bool) *posts {
	t.Helper()
	server.Config.ErrorLog = s.http.Config.ErrorLog
	if server.EnableHTTP2 = two; two {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return &posts{t: t, http: server, client: server.Client()}
}

// answer is what a POST was answered.
type answer struct {
	reply
	status int
	header http.Header
	body   string
	closes bool // the connection
}

// do makes a request with a query, headers as "Name: value" lines and a body.
func (p *posts) do(ctx context.Context, method, query string, header http.Header, body io.Reader) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.http.URL+"?"+query, body)
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		r.Header = header.Clone()
	}
	if _, ok := r.Header["Content-Type"]; !ok && body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := p.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(text), closes: res.Close}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.reply); err != nil {
			return a, fmt.Errorf("%d %q: %w", res.StatusCode, text, err)
		}
	}
	return a, nil
}

// post must be answered.
func (p *posts) post(query string, header http.Header, body string) answer {
	p.t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	a, err := p.do(p.t.Context(), http.MethodPost, query, header, from)
	if err != nil {
		p.t.Fatalf("POST ?%s: %v", query, err)
	}
	return a
}

// expect fails unless a POST is answered like this.
func (p *posts) expect(query string, header http.Header, body string, status int, want string) {
	p.t.Helper()
	if a := p.post(query, header, body); a.status != status || a.body != want {
		p.t.Errorf("POST ?%s %s: %d %s\nwant %d %s", query, body, a.status, a.body, status, want)
	}
}

func as(user string, more ...string) http.Header {
	h := http.Header{}
	if user != "" {
		h.Set("X-User", user)
	}
	for i := 0; i < len(more); i += 2 {
		h.Add(more[i], more[i+1])
	}
	return h
}

// TestPostPublishes: a publication by POST is one like any other.
func TestPostPublishes(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser),
		hub.WithRooms("kept", hub.DefaultHistory(), hub.ShowPublisher(hub.PublisherUser)))
	p := s.posts(t)
	c := s.dialAs(t, "bob")
	c.ask(`{"op":"join","id":1,"room":"plain"}`)
	joined := c.ask(`{"op":"join","id":2,"room":"kept"}`)

	p.expect("room=plain", nil, ` {"text": "<hi>"} `, 200, `{"op":"ok","room":"plain"}`)
	c.expect(`{"op":"message","room":"plain","data":{"text": "<hi>"}}`)

	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	header := as("ada", "Idempotency-Key", `"a \"key\""`, "Traceparent", trace, "Tracestate", "a=1", "Tracestate", "b=2")
	query := "room=kept&app=own&tags=" + url.QueryEscape(`{"kind":"greeting"}`)
	want := fmt.Sprintf(`{"op":"ok","room":"kept","epoch":%q,"offset":1}`, joined.Epoch)
	p.expect(query, header, `1`, 200, want)
	p.expect(query, header, `1`, 200, want)                                        // a retry
	p.expect("room=kept", as("ada", "Idempotency-Key", `a "key"`), `1`, 200, want) // the same key
	p.expect("room=kept", as("eve", "Idempotency-Key", `a "key"`), `2`, 200,       // another user's
		fmt.Sprintf(`{"op":"ok","room":"kept","epoch":%q,"offset":2}`, joined.Epoch))
	var m struct {
		From                    struct{ Conn, User string }
		Tags                    map[string]string
		Traceparent, Tracestate string
		Data                    int
	}
	if err := json.Unmarshal([]byte(c.next()), &m); err != nil {
		t.Fatal(err)
	}
	if m.From.User != "ada" || m.From.Conn == "" || m.Tags["kind"] != "greeting" || m.Traceparent != trace || m.Tracestate != "a=1,b=2" || m.Data != 1 {
		t.Errorf("the message carries %+v", m)
	}
	if r := c.read(); r.Offset != 2 || string(r.Data) != "2" {
		t.Errorf("the next is %+v", r)
	}
	if st := s.Stats(); st.Published != 3 || st.Duplicates != 2 || st.Received != 2+5 || st.Conns != 1 || st.Accepted != 1 {
		t.Errorf("%+v", st)
	}
}

// TestPostSession: the session that a POST names is the client's own, for its keys and its echo.
func TestPostSession(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("*", hub.DefaultHistory()))
	p := s.posts(t)
	c := s.dialV1(t, `{"op":"hello","session":"mine"}`)
	epoch := c.ask(`{"op":"join","id":1,"room":"r"}`).Epoch
	key := as("", "Idempotency-Key", "k")
	ok := func(offset int) string {
		return fmt.Sprintf(`{"op":"ok","room":"r","epoch":%q,"offset":%d}`, epoch, offset)
	}

	p.expect("room=r&echo=false&session=mine", nil, `1`, 200, ok(1))
	c.expect(fmt.Sprintf(`{"op":"skip","room":"r","epoch":%q,"offset":1}`, epoch))
	p.expect("room=r&echo=true&session=mine", key, `2`, 200, ok(2))
	if r := c.read(); r.Offset != 2 || r.Op != "message" {
		t.Errorf("%+v", r)
	}
	// Sent by POST and, as its answer was lost, again over a connection.
	c.write(`{"op":"publish","id":2,"room":"r","data":2,"key":"k"}`)
	c.expect(fmt.Sprintf(`{"op":"ok","id":2,"room":"r","epoch":%q,"offset":2}`, epoch))
	p.expect("room=r&session=another", key, `3`, 200, ok(3))
	if r := c.read(); r.Offset != 3 {
		t.Errorf("%+v", r)
	}
	p.expect("room=r", key, `4`, 400,
		`{"op":"error","code":"bad_request","message":"an anonymous client's Idempotency-Key needs a session"}`)
}

// TestPostCalls: handlers answer, light or heavy, and however they end.
func TestPostCalls(t *testing.T) {
	s := start(t, hub.WithAuthenticator(asUser))
	p := s.posts(t)
	for _, opts := range [][]hub.HandleOption{nil, {hub.Heavy()}} {
		handle := func(name string, f func(ctx context.Context, c *hub.Conn, data []byte) (any, error)) {
			s.Handle(name, f, opts...)
		}
		handle("echo", func(ctx context.Context, c *hub.Conn, data []byte) (any, error) {
			if from, ok := hub.ConnFromContext(ctx); !ok || from != c || c.Identity().User != "ada" {
				t.Errorf("called for %+v", c.Identity())
			}
			if data == nil {
				return nil, nil
			}
			return json.RawMessage(data), nil
		})
		s.Handle("typed", hub.Typed(func(_ context.Context, _ *hub.Conn, in struct{ Size int }) (int, error) { return in.Size, nil }), opts...)
		handle("told", func(context.Context, *hub.Conn, []byte) (any, error) {
			return nil, fmt.Errorf("wrapped: %w", &hub.Error{Code: "paywall", Message: "buy it"})
		})
		handle("wait", func(context.Context, *hub.Conn, []byte) (any, error) {
			return nil, &hub.Error{Code: "rate_limited", RetryAfter: 1500 * time.Millisecond}
		})
		handle("fails", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, errSecret })
		handle("panics", func(context.Context, *hub.Conn, []byte) (any, error) { panic("a bug") })
		handle("exits", func(context.Context, *hub.Conn, []byte) (any, error) { runtime.Goexit(); return nil, nil })
		handle("nil", func(context.Context, *hub.Conn, []byte) (any, error) { var e *hub.Error; return nil, e })
		handle("unencodable", func(context.Context, *hub.Conn, []byte) (any, error) { return make(chan int), nil })
		const failed = `{"op":"error","code":"internal","message":"the handler failed"}`
		for _, tt := range []struct {
			method, body string
			status       int
			want         string
		}{
			{"echo", ``, 200, `{"op":"ok"}`},
			{"echo", `null`, 200, `{"op":"ok","data":null}`},
			{"echo", `{"a":[1]}`, 200, `{"op":"ok","data":{"a":[1]}}`},
			{"typed", `{"size":7}`, 200, `{"op":"ok","data":7}`},
			{"typed", `{"size":"L"}`, 400, `{"op":"error","code":"bad_request","message":"field \"Size\": want a whole number, got a string"}`},
			{"told", ``, 422, `{"op":"error","code":"paywall","message":"buy it"}`},
			{"wait", ``, 429, `{"op":"error","code":"rate_limited","message":"","retry_after_ms":1500}`},
			{"fails", ``, 500, failed},
			{"panics", ``, 500, failed},
			{"nil", ``, 500, failed},
			{"unencodable", ``, 500, failed},
			{"none", ``, 404, `{"op":"error","code":"unknown_method","message":"no such method"}`},
		} {
			p.expect("method="+tt.method, as("ada"), tt.body, tt.status, tt.want)
		}
		if a := p.post("method=wait", as("ada"), ""); a.header.Get("Retry-After") != "2" {
			t.Errorf("Retry-After is %q, want 2", a.header.Get("Retry-After"))
		}
		if a := p.post("method=exits", as("ada"), ""); a.status != 500 || a.Code != "internal" {
			t.Errorf("a handler that ends its goroutine: %d %s", a.status, a.body)
		}
	}
	if n := s.Stats().Panics; n != 4 {
		t.Errorf("%d panics counted, want 4", n)
	}
}
