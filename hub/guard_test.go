package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// trap is a hub all of whose callbacks do what the test says.
type trap struct {
	*server
	at   atomic.Pointer[string] // the callback that is to fail
	what atomic.Pointer[func() error]
}

func (s *trap) set(at string, f func() error) {
	s.at.Store(&at)
	s.what.Store(&f)
}

func (s *trap) fall(at string) error {
	if *s.at.Load() == at {
		return (*s.what.Load())()
	}
	return nil
}

// newTrap takes clients that say hello where verifier is set, and plain ones else.
func newTrap(t *testing.T, tr transport, verifier bool) *trap {
	t.Helper()
	s := &trap{}
	s.set("", nil)
	opts := []hub.Option{
		hub.WithOpenRooms("open"),
		hub.WithOriginCheck(func(*http.Request) bool { return s.fall("origin check") == nil }),
		hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return hub.Identity{User: "ada"}, s.fall("authenticator") }),
	}
	if verifier {
		opts = append(opts, hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
			switch token {
			case "in place":
				return hub.Identity{User: "ada"}, s.fall("token in place")
			case "of a room":
				return hub.Identity{User: "ada"}, s.fall("token of a room")
			}
			return hub.Identity{User: "ada"}, s.fall("token verifier")
		}))
	}
	s.server = tr.start(t, opts...)
	s.OnHandshake(func(*http.Request, *hub.Conn) error { return s.fall("OnHandshake") })
	s.OnConnect(func(context.Context, *hub.Conn) error { return s.fall("OnConnect") })
	s.OnJoin(func(context.Context, *hub.Conn, string) error { return s.fall("OnJoin") })
	s.OnJoinGrant(func(_ context.Context, c *hub.Conn, _ string) (hub.Grant, error) {
		at := "OnJoinGrant"
		if len(c.Rooms()) > 0 {
			at = "OnJoinGrant again"
		}
		return hub.Grant{ExpiresAt: time.Now().Add(time.Hour)}, s.fall(at)
	})
	s.OnPublish(func(context.Context, *hub.Conn, *hub.Publication) error { return s.fall("OnPublish") })
	s.OnHistory(func(context.Context, *hub.Conn, string) error { return s.fall("OnHistory") })
	s.OnMessage(func(context.Context, *hub.Conn, hub.Message) { _ = s.fall("OnMessage") })
	s.OnRefresh(func(context.Context, *hub.Conn, string) { _ = s.fall("OnRefresh") })
	s.OnDisconnect(func(context.Context, *hub.Conn, error) { _ = s.fall("OnDisconnect") })
	call := func(at string) hub.HandlerFunc {
		return func(context.Context, *hub.Conn, []byte) (any, error) {
			err := s.fall(at)
			if r, ok := err.(result); ok { // its own methods are not to be called here
				return r.value, nil
			}
			return 1, err
		}
	}
	s.Handle("light", call("call"))
	s.Handle("heavy", call("heavy call"), hub.Heavy())
	return s
}

// result makes a call return a value.
type result struct{ value any }

func (result) Error() string { return "no error" }

type badValue struct{ f func() }

func (v badValue) MarshalJSON() ([]byte, error) { v.f(); return nil, nil }

// badError is an error whose methods do what it says.
type badError struct{ text, is, as, unwrap func() }

func (e *badError) Error() string       { e.text(); return "bad" }
func (e *badError) Is(error) bool       { e.is(); return false }
func (e *badError) As(any) bool         { e.as(); return false }
func (e *badError) Unwrap() error       { e.unwrap(); return nil }
func (e *badError) String() string      { return "bad" }
func noError() *hub.Error               { return nil }
func noClose() *hub.CloseError          { return nil }
func noHTTP() *hub.HTTPError            { return nil }
func noBad() *badError                  { return nil }
func nop()                              {}
func boom()                             { panic("boom") }
func bad(text, is, as, un func()) error { return &badError{text, is, as, un} }

// verdicts are what a client hears of a callback's error, by kind of callback.
type verdicts struct{ http, connect, verifier, request, call, token string }

func (v verdicts) of(callback string) string {
	switch callback {
	case "authenticator", "OnHandshake", "origin check":
		return v.http
	case "OnConnect":
		return v.connect
	case "token verifier":
		return v.verifier
	case "OnJoin", "OnJoinGrant", "OnJoinGrant again", "OnHistory", "OnPublish":
		return v.request
	case "token in place", "token of a room":
		return v.token
	case "call", "heavy call":
		return v.call
	case "OnMessage", "OnRefresh":
		return "close 4004"
	}
	return "connected"
}

var (
	crashes  = verdicts{"HTTP 500", "close 4004", "close 4004", "error internal", "error internal", "error internal"}
	failures = verdicts{"HTTP 503", "close 1013", "close 1013", "error unavailable", "error internal", "error unavailable"}
)

// outcome connects, asks for what calls the callback, and says what came of it.
func (s *trap) outcome(t *testing.T, verifier bool, callback string) string {
	t.Helper()
	d := s.dialer()
	if verifier {
		d.Subprotocols = []string{protocol.Subprotocol}
	}
	ws, resp, err := d.Dial(s.url, nil)
	if err != nil {
		if resp == nil {
			t.Fatalf("no answer to the handshake: %v", err)
		}
		if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return "HTTP " + strconv.Itoa(resp.StatusCode)
	}
	_ = resp.Body.Close()
	defer func() { _ = ws.Close() }()
	c := &client{t: t, ws: ws}
	if verifier {
		c.write(`{"op":"hello"}`)
	}
	request := map[string]string{
		"OnJoin":            `{"op":"join","id":1,"room":"a"}`,
		"OnJoinGrant":       `{"op":"join","id":1,"room":"a"}`,
		"OnJoinGrant again": `{"op":"token","id":1,"room":"held","token":"good"}`,
		"OnPublish":         `{"op":"publish","id":1,"room":"a","data":1}`,
		"OnHistory":         `{"op":"history","id":1,"room":"a"}`,
		"OnMessage":         `{"op":"send","id":1,"data":1}`,
		"call":              `{"op":"call","id":1,"method":"light"}`,
		"heavy call":        `{"op":"call","id":1,"method":"heavy"}`,
		"OnRefresh":         `{"op":"token","id":1,"token":"good"}`,
		"token in place":    `{"op":"token","id":1,"token":"in place"}`,
		"token of a room":   `{"op":"token","id":1,"room":"held","token":"of a room"}`,
	}[callback]
	for {
		p, err := c.tryNext()
		if err != nil {
			ce, ok := errors.AsType[*websocket.CloseError](err)
			if !ok {
				return err.Error()
			}
			if _, ok := protocol.ParseHint(ce.Text); !ok && ce.Code == websocket.CloseTryAgainLater {
				t.Errorf("1013 without a hint: %q", ce.Text)
			}
			return "close " + strconv.Itoa(ce.Code)
		}
		var r reply
		if err := json.Unmarshal(p, &r); err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Op == "welcome" && callback == "OnConnect": // its close follows
		case r.Op == "welcome" && request == "":
			return "connected"
		case r.Op == "welcome":
			if strings.Contains(request, "held") {
				if r := c.ask(`{"op":"join","id":1,"room":"held"}`); r.Op != "ok" {
					t.Fatalf("%+v", r)
				}
			}
			c.write(request)
		default:
			c.alive() // nothing that is answered costs the connection
			if r.Op == "error" {
				if r.Code == "unavailable" && r.RetryAfter <= 0 {
					t.Errorf("no retry_after_ms: %+v", r)
				}
				return "error " + r.Code
			}
			return r.Op
		}
	}
}

// TestCallbackFaults: whatever a callback does costs its call or its connection, is counted, and is answered; nothing else
// suffers, and Shutdown waits for nothing that is left of it.
func TestCallbackFaults(t *testing.T) {
	goexit := runtime.Goexit
	all := []string{"origin check", "authenticator", "OnHandshake", "token verifier", "OnConnect", "OnJoin", "OnPublish", "OnJoinGrant", "OnJoinGrant again", "token in place", "token of a room", "OnHistory", "call", "heavy call", "OnMessage", "OnRefresh", "OnDisconnect"}
	calls := []string{"call", "heavy call"}
	judges := []string{"authenticator", "OnHandshake", "token verifier", "OnConnect", "OnJoin", "OnPublish", "OnJoinGrant", "OnJoinGrant again", "token in place", "token of a room", "OnHistory", "call", "heavy call"}
	tests := []struct {
		name             string
		f                func() error
		at               []string
		want             verdicts
		panics, failures int64
	}{
		{"panic", func() error { panic("boom") }, all, crashes, 1, 0},
		{"a runtime error", func() error { return make([]error, 0)[errorsThere()] }, all, crashes, 1, 0},
		{"Goexit", func() error { goexit(); return nil }, all, crashes, 1, 0},
		// A call's errors are counted as failures too, if they are nil pointers.
		{"nil *Error", func() error { return noError() }, judges, crashes, 0, 1},
		{"nil *CloseError", func() error { return noClose() }, judges, crashes, 0, 1},
		{"nil *HTTPError", func() error { return noHTTP() }, judges, crashes, 0, 1},
		{"nil of another type", func() error { return noBad() }, judges, crashes, 0, 1},
		{"Error panics", func() error { return bad(boom, nop, nop, nop) }, judges, failures, 0, -1},
		{"Is panics", func() error { return bad(nop, boom, nop, nop) }, judges, crashes, 1, 0},
		{"As panics", func() error { return bad(nop, nop, boom, nop) }, judges, crashes, 1, 0},
		{"Unwrap panics", func() error { return bad(nop, nop, nop, boom) }, judges, crashes, 1, 0},
		{"Error ends the goroutine", func() error { return bad(goexit, nop, nop, nop) }, judges, crashes, 1, 0},
		{"Unwrap ends the goroutine", func() error { return bad(nop, nop, nop, goexit) }, judges, crashes, 1, 0},
		{"error", func() error { return errSecret }, judges, failures, 0, -1},
		{"context over", func() error { return context.DeadlineExceeded }, judges, failures, 0, -1},
		{"context canceled", func() error { return fmt.Errorf("query: %w", context.Canceled) }, judges, failures, 0, -1},
		{"broker", func() error { return broker.ErrUnavailable }, judges, failures, 0, -1},
		{"a context's end within a refusal", func() error { return fmt.Errorf("%w: %w", hub.ErrForbidden, context.Canceled) }, judges[:11], failures, 0, 1},
		{"nil within an error", func() error { return fmt.Errorf("query: %w", noError()) }, judges, crashes, 1, 0},
		{"ErrUnauthorized", func() error { return fmt.Errorf("query: %w", hub.ErrUnauthorized) }, judges,
			verdicts{"HTTP 401", "close 4100", "close 4100", "error unauthorized", "error unauthorized", "error unauthorized"}, 0, 0},
		{"ErrForbidden", func() error { return hub.ErrForbidden }, judges,
			verdicts{"HTTP 403", "close 4101", "close 4101", "error forbidden", "error forbidden", "error unauthorized"}, 0, 0},
		{"HTTPError 401", func() error { return &hub.HTTPError{Status: 401} }, judges[:11],
			verdicts{"HTTP 401", "close 4100", "close 4100", "error forbidden", "", "error unauthorized"}, 0, 0},
		{"HTTPError 503", func() error { return &hub.HTTPError{Status: 503, RetryAfter: 1} }, judges[:11], failures, 0, 1},
		{"CloseError 4100", func() error { return &hub.CloseError{Code: 4100} }, judges[2:11],
			verdicts{"", "close 4100", "close 4100", "error forbidden", "", "error unauthorized"}, 0, 0},
		{"CloseError 1013", func() error { return &hub.CloseError{Code: 1013, RetryAfter: time.Second} }, judges[:11],
			verdicts{"HTTP 503", "close 1013", "close 1013", "error unavailable", "", "error unavailable"}, 0, 0},
		{"Error busy", func() error { return &hub.Error{Code: protocol.CodeBusy, RetryAfter: time.Second} }, judges[:11],
			verdicts{"HTTP 503", "close 1013", "close 1013", "error busy", "", "error unavailable"}, 0, 1},
		{"Error of the application's", func() error { return &hub.Error{Code: "paywall"} }, judges[2:11],
			verdicts{"", "close 4101", "close 4100", "error paywall", "", "error unauthorized"}, 0, 0},
		{"MarshalJSON panics", func() error { return result{badValue{boom}} }, calls, crashes, 1, 0},
		{"MarshalJSON ends the goroutine", func() error { return result{badValue{goexit}} }, calls, crashes, 1, 0},
		{"no JSON", func() error { return result{make(chan int)} }, calls, crashes, 0, 0},
		{"text that is not UTF-8", func() error { return result{struct{ A any }{json.RawMessage("\"\xff\"")}} }, calls, crashes, 0, 0},
		{"raw that is no JSON", func() error { return result{json.RawMessage("{")} }, calls, crashes, 0, 0},
	}
	overEach(t, func(t *testing.T, tr transport) {
		for _, verifier := range []bool{true, false} {
			t.Run(fmt.Sprintf("hello=%v", verifier), func(t *testing.T) {
				s := newTrap(t, tr, verifier)
				for _, tt := range tests {
					for _, at := range tt.at {
						if !verifier && (strings.Contains(at, "token") || strings.Contains(at, "again") || at == "OnRefresh") {
							continue
						}
						t.Run(tt.name+"/"+at, func(t *testing.T) {
							before := s.Stats()
							s.set(at, tt.f)
							if got, want := s.outcome(t, verifier, at), tt.want.of(at); got != want {
								t.Errorf("the client sees %q, want %q", got, want)
							}
							want := tt.failures
							if want < 0 { // where it is for the callback to decide
								want = 1
								if at == "call" || at == "heavy call" {
									want = 0
								}
							}
							await(t, "the connection is gone", func() bool { return s.Stats().Conns == 0 })
							st := s.Stats()
							if st.Panics-before.Panics != tt.panics || st.Failures-before.Failures != want {
								t.Errorf("%d panics and %d failures counted, want %d and %d",
									st.Panics-before.Panics, st.Failures-before.Failures, tt.panics, want)
							}
						})
					}
				}
				s.set("", nil)
				if got := s.outcome(t, verifier, "OnJoin"); got != "ok" {
					t.Errorf("afterwards: %q", got)
				}
				s.shutdown(t)
			})
		}
	})
}

// TestSurveyFaults: whoever asks hears an answer, with a bus and without one.
func TestSurveyFaults(t *testing.T) {
	for name, b := range map[string]func() broker.Broker{
		"bus":   func() broker.Broker { return newMemory(t) },
		"alone": func() broker.Broker { return bare{newMemory(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, hub.WithBroker(b()))
			for name, f := range map[string]hub.SurveyFunc{
				"panic":        func(context.Context, []byte) (any, error) { panic("boom") },
				"goexit":       func(context.Context, []byte) (any, error) { runtime.Goexit(); return nil, nil },
				"nil":          func(context.Context, []byte) (any, error) { return nil, noError() },
				"bad error":    func(context.Context, []byte) (any, error) { return nil, bad(boom, boom, boom, boom) },
				"marshal":      func(context.Context, []byte) (any, error) { return badValue{boom}, nil },
				"marshal exit": func(context.Context, []byte) (any, error) { return badValue{runtime.Goexit}, nil },
			} {
				s.HandleSurvey(name, f)
				answers, err := s.Survey(t.Context(), name, nil)
				if err != nil || len(answers) != 1 || answers[0].Err == nil || answers[0].Err.Error() == "" {
					t.Errorf("%s: %+v, %v", name, answers, err)
				}
			}
			if n := s.Stats().Panics; n != 5 {
				t.Errorf("%d panics counted, want 5", n)
			}
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			s.HandleSurvey("blocks", func(context.Context, []byte) (any, error) { cancel(); <-release; return nil, nil })
			if answers, err := s.Survey(ctx, "blocks", nil); err != nil || !errors.Is(answers[0].Err, hub.ErrNoAnswer) {
				t.Errorf("blocked: %+v, %v", answers, err)
			}
			close(release)
		})
	}
}

// badLog is a slog.Handler that always panics.
type badLog struct{ enabled bool }

func (l badLog) Enabled(context.Context, slog.Level) bool {
	if !l.enabled {
		panic("Enabled")
	}
	return true
}
func (badLog) Handle(context.Context, slog.Record) error { panic("Handle") }
func (l badLog) WithAttrs([]slog.Attr) slog.Handler      { return l }
func (l badLog) WithGroup(string) slog.Handler           { return l }

// TestLoggerPanics: what is to be logged is lost, and nothing else.
func TestLoggerPanics(t *testing.T) {
	for _, l := range []badLog{{false}, {true}} {
		overEach(t, func(t *testing.T, tr transport) {
			s := tr.start(t, hub.WithLogger(slog.New(l)))
			for _, heavy := range [][]hub.HandleOption{nil, {hub.Heavy()}} {
				s.Handle("boom", func(context.Context, *hub.Conn, []byte) (any, error) { panic("boom") }, heavy...)
				c := s.dial(t)
				before := s.Stats().Panics
				if r := c.ask(`{"op":"call","id":1,"method":"boom"}`); r.Code != "internal" {
					t.Errorf("got %+v", r)
				}
				c.alive()
				if n := s.Stats().Panics - before; n < 2 {
					t.Errorf("%d panics counted, want the handler's and the logger's", n)
				}
			}
			s.shutdown(t)
		})
	}
}

// errorsThere is an index that no empty slice has, which a linter cannot know.
func errorsThere() int { return len(os.Args) }
