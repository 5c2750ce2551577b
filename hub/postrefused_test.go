package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// TestPostBadInput: each parameter and header that is wrong is refused before anybody is asked, and nobody else notices.
func TestPostBadInput(t *testing.T) {
	var asked atomic.Int32
	s := start(t, hub.WithOpenRooms("*"), hub.WithMaxMessage(200))
	stillServed := s.bystander(t, "elsewhere")
	s2 := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		asked.Add(1)
		return hub.Identity{}, nil
	}))
	early := s2.posts(t)
	p := s.posts(t)
	long := strings.Repeat("x", 129)
	tags := func(json string) string { return "room=r&tags=" + url.QueryEscape(json) }
	for _, tt := range []struct {
		name, query string
		header      http.Header
		body        string
		status      int
		code        string
	}{
		{"no query", "", nil, `1`, 400, "bad_request"},
		{"neither room nor method", "app=1", nil, `1`, 400, "bad_request"},
		{"both", "room=r&method=m", nil, `1`, 400, "bad_request"},
		{"two rooms", "room=r&room=r", nil, `1`, 400, "bad_request"},
		{"query that is none", "room=%zz", nil, `1`, 400, "bad_request"},
		{"semicolon", "room=r;echo=false", nil, `1`, 400, "bad_request"},
		{"room without name", "room=", nil, `1`, 400, "bad_room"},
		{"room with control character", "room=a%00b", nil, `1`, 400, "bad_room"},
		{"room that is no UTF-8", "room=%ff", nil, `1`, 400, "bad_room"},
		{"long room", "room=" + strings.Repeat("r", 256), nil, `1`, 400, "bad_room"},
		{"method without name", "method=", nil, `1`, 400, "bad_request"},
		{"method that is no UTF-8", "method=%ff", nil, `1`, 400, "bad_request"},
		{"session without name", "room=r&session=", nil, `1`, 400, "bad_request"},
		{"long session", "room=r&session=" + long, nil, `1`, 400, "bad_request"},
		{"session with control character", "room=r&session=a%0ab", nil, `1`, 400, "bad_request"},
		{"echo", "room=r&echo=no", nil, `1`, 400, "bad_request"},
		{"echo of a call", "method=m&echo=false", nil, `1`, 400, "bad_request"},
		{"tags of a call", "method=m&tags={}", nil, `1`, 400, "bad_request"},
		{"tags that are no object", tags(`[]`), nil, `1`, 400, "bad_request"},
		{"tags that are no strings", tags(`{"a":1}`), nil, `1`, 400, "bad_request"},
		{"tag that is null", tags(`{"a":null}`), nil, `1`, 400, "bad_request"},
		{"tag without key", tags(`{"":"a"}`), nil, `1`, 400, "bad_request"},
		{"long tag", tags(`{"a":"` + strings.Repeat("x", 257) + `"}`), nil, `1`, 400, "bad_request"},
		{"empty key", "room=r&session=s", as("", "Idempotency-Key", ""), `1`, 400, "bad_request"},
		{"empty key in quotes", "room=r&session=s", as("", "Idempotency-Key", `""`), `1`, 400, "bad_request"},
		{"key with one quote", "room=r&session=s", as("", "Idempotency-Key", `"a`), `1`, 400, "bad_request"},
		{"key with parameters", "room=r&session=s", as("", "Idempotency-Key", `"a";b`), `1`, 400, "bad_request"},
		{"key that ends in a backslash", "room=r&session=s", as("", "Idempotency-Key", `"a\`), `1`, 400, "bad_request"},
		{"key with an unknown escape", "room=r&session=s", as("", "Idempotency-Key", `"a\n"`), `1`, 400, "bad_request"},
		{"long key", "room=r&session=s", as("", "Idempotency-Key", long), `1`, 400, "bad_request"},
		{"key that is no UTF-8", "room=r&session=s", as("", "Idempotency-Key", "\xff"), `1`, 400, "bad_request"},
		{"two keys", "room=r&session=s", as("", "Idempotency-Key", "a", "Idempotency-Key", "b"), `1`, 400, "bad_request"},
		{"key of a call", "method=m", as("", "Idempotency-Key", "a"), `1`, 400, "bad_request"},
		{"two tokens", "room=r", as("", "Authorization", "Bearer a", "Authorization", "Bearer b"), `1`, 400, "bad_request"},
		{"form", "room=r", as("", "Content-Type", "application/x-www-form-urlencoded"), `1`, 415, "bad_request"},
		{"text", "room=r", as("", "Content-Type", "text/plain"), `1`, 415, "bad_request"},
		{"no media type", "room=r", as("", "Content-Type", ""), `1`, 415, "bad_request"},
		{"broken media type", "room=r", as("", "Content-Type", "application/json; charset"), `1`, 415, "bad_request"},
		{"another charset", "room=r", as("", "Content-Type", "application/json; charset=latin1"), `1`, 415, "bad_request"},
		{"compressed", "room=r", as("", "Content-Encoding", "gzip"), `1`, 415, "bad_request"},
	} {
		for _, to := range []*posts{p, early} {
			if a := to.post(tt.query, tt.header, tt.body); a.status != tt.status || a.Code != tt.code || a.Op != "error" || a.Message == "" {
				t.Errorf("%s: %d %s, want %d %s", tt.name, a.status, a.body, tt.status, tt.code)
			}
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the authenticator was asked %d times", n)
	}
	for _, tt := range []struct {
		name, query, body string
		status            int
		code              string
	}{
		{"no body", "room=r", ``, 400, "bad_request"},
		{"no JSON", "room=r", `{"a"`, 400, "bad_request"},
		{"two values", "room=r", `1 2`, 400, "bad_request"},
		{"no UTF-8", "room=r", "\"\xff\"", 400, "bad_request"},
		{"deep", "room=r", strings.Repeat("[", 64) + strings.Repeat("]", 64), 200, ""},
		{"too deep", "room=r", strings.Repeat("[", 65) + strings.Repeat("]", 65), 400, "bad_request"},
		{"large", "room=r", `"` + strings.Repeat("x", 198) + `"`, 200, ""},
		{"too large", "room=r", `"` + strings.Repeat("x", 199) + `"`, 413, "too_large"},
		{"call without JSON", "method=m", `{`, 404, "unknown_method"},
	} {
		if a := p.post(tt.query, nil, tt.body); a.status != tt.status || a.Code != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.name, a.status, a.body, tt.status, tt.code)
		}
	}
	// Without a length it is found out on the way.
	a, err := p.do(t.Context(), http.MethodPost, "room=r", nil, io.MultiReader(strings.NewReader(strings.Repeat(" ", 201))))
	if err != nil || a.status != 413 {
		t.Errorf("too large, without a length: %d, %v", a.status, err)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, "BREW"} {
		a, err := p.do(t.Context(), method, "room=r", nil, nil)
		if err != nil || a.status != 405 || a.header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: %d, %q, %v", method, a.status, a.header.Get("Allow"), err)
		}
	}
	stillServed()
	if n := s.Stats().Invalid; n < 40 {
		t.Errorf("%d invalid requests counted", n)
	}
}

// TestPostAsRaw: a raw hub has no protocol by which it could answer.
func TestPostAsRaw(t *testing.T) {
	s := start(t, hub.WithRaw())
	if a := s.posts(t).post("room=r", nil, "1"); a.status != 501 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestPostRefused: who is refused hears it with the status of a handshake, and OnPublish with that of its code.
func TestPostRefused(t *testing.T) {
	type verdict struct {
		err    error
		status int
		code   string
	}
	who := map[string]verdict{
		"unauthorized": {hub.ErrUnauthorized, 401, "unauthorized"},
		"forbidden":    {fmt.Errorf("x: %w", hub.ErrForbidden), 403, "forbidden"},
		"own":          {&hub.HTTPError{Status: 429, Message: "over quota", RetryAfter: 90 * time.Second}, 429, "rate_limited"},
		"payment":      {&hub.HTTPError{Status: 402, Message: "pay"}, 402, "forbidden"},
		"4100":         {&hub.CloseError{Code: 4100}, 401, "unauthorized"},
		"4101":         {&hub.CloseError{Code: 4101}, 403, "forbidden"},
		"later":        {&hub.CloseError{Code: 1013, RetryAfter: time.Second}, 503, "unavailable"},
		"secret":       {errSecret, 503, "unavailable"},
		"panic":        {nil, 500, "internal"},
		"exit":         {nil, 500, "internal"},
	}
	decide := func(name string) error {
		switch name {
		case "panic":
			panic("a bug")
		case "exit":
			runtime.Goexit()
		}
		return who[name].err
	}
	var published, connected atomic.Int32
	for _, place := range []string{"authenticator", "OnHandshake", "verifier"} {
		opts := []hub.Option{hub.WithOpenRooms("*")}
		switch place {
		case "authenticator":
			opts = append(opts, hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
				return hub.Identity{User: "ada"}, decide(r.Header.Get("X-User"))
			}))
		case "verifier":
			opts = append(opts, hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
				return hub.Identity{User: "ada"}, decide(token)
			}))
		}
		s := start(t, opts...)
		if place == "OnHandshake" {
			s.OnHandshake(func(r *http.Request, c *hub.Conn) error {
				c.ResponseHeader().Set("X-Seen", "yes")
				return decide(r.Header.Get("X-User"))
			})
		}
		s.OnConnect(func(context.Context, *hub.Conn) error { connected.Add(1); return nil })
		s.OnPublish(func(context.Context, *hub.Conn, *hub.Publication) error { published.Add(1); return nil })
		p := s.posts(t)
		for name, want := range who {
			a := p.post("room=r", as(name, "Authorization", "bearer "+name), `1`)
			if a.status != want.status || a.Code != want.code || strings.Contains(a.body, "10.0.0.7") {
				t.Errorf("%s, %s: %d %s, want %d %s", place, name, a.status, a.body, want.status, want.code)
			}
			if wait := a.header.Get("Retry-After"); (wait != "") != (want.status == 429 || want.status == 503) {
				t.Errorf("%s, %s: Retry-After is %q", place, name, wait)
			}
			if place == "OnHandshake" && name != "exit" && a.header.Get("X-Seen") != "yes" {
				t.Errorf("%s, %s: the header is not there", place, name)
			}
		}
		if a := p.post("room=r", as("ada", "Authorization", "Bearer ada"), `1`); a.status != 200 {
			t.Errorf("%s: %d %s", place, a.status, a.body)
		}
	}
	if published.Load() != 0 || connected.Load() != 0 { // the rooms are open
		t.Errorf("OnPublish was called %d times, OnConnect %d", published.Load(), connected.Load())
	}
}

// TestPostAuthorizers: what OnPublish says has a status.
func TestPostAuthorizers(t *testing.T) {
	answers := map[string]struct {
		err    error
		status int
		want   string
	}{
		"allowed":   {nil, 200, `{"op":"ok","room":"allowed"}`},
		"told":      {&hub.Error{Code: "paywall", Message: "buy it"}, 422, `{"op":"error","room":"told","code":"paywall","message":"buy it"}`},
		"refused":   {errors.Join(errSecret, hub.ErrForbidden), 403, `{"op":"error","room":"refused","code":"forbidden","message":"not allowed"}`},
		"unknown":   {hub.ErrUnauthorized, 401, `{"op":"error","room":"unknown","code":"unauthorized","message":"not authorized"}`},
		"conflict":  {&hub.Error{Code: "conflict"}, 409, `{"op":"error","room":"conflict","code":"conflict","message":""}`},
		"too_large": {&hub.Error{Code: "too_large"}, 413, `{"op":"error","room":"too_large","code":"too_large","message":""}`},
		"gone":      {&hub.Error{Code: "gone"}, 410, `{"op":"error","room":"gone","code":"gone","message":""}`},
		"panic":     {nil, 500, `{"op":"error","room":"panic","code":"internal","message":"the authorizer failed"}`},
	}
	s := start(t, hub.WithAuthenticator(asUser))
	p := s.posts(t)
	p.expect("room=allowed", nil, `1`, 403, `{"op":"error","room":"allowed","code":"forbidden","message":"not allowed"}`)
	s.OnPublish(func(_ context.Context, c *hub.Conn, pub *hub.Publication) error {
		switch pub.Room {
		case "panic":
			panic("authorizer")
		case "exit":
			runtime.Goexit()
		}
		if string(pub.Data) != "1" || c.Identity().User != "ada" {
			t.Errorf("asked about %s for %q", pub.Data, c.Identity().User)
		}
		return answers[pub.Room].err
	})
	for room, a := range answers {
		p.expect("room="+room, as("ada"), `1`, a.status, a.want)
	}
	if a := p.post("room=exit", as("ada"), `1`); a.status != 500 || a.Code != "internal" {
		t.Errorf("an authorizer that ends its goroutine: %d %s", a.status, a.body)
	}
}

// TestPostWhileBrokerIsLost: the client is told to come back.
func TestPostWhileBrokerIsLost(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("*", hub.DefaultHistory()))
	p := s.posts(t)
	b.down.Store(true)
	if a := p.post("room=r", nil, `1`); a.status != 503 || a.Code != "unavailable" || a.RetryAfter < 1000 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	b.down.Store(false)
	if a := p.post("room=r", nil, `1`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
