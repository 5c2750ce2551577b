package dash_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
)

func TestNewReportsEveryFault(t *testing.T) {
	_, err := dash.New(nil, nil, dash.WithAuthorizer(nil), dash.WithActions(nil), dash.WithPayloads(nil), dash.WithDrain(nil), dash.WithLogger(nil))
	if !errors.Is(err, hub.ErrOption) {
		t.Fatal(err)
	}
	for _, want := range []string{"the hub is nil", "an option is nil", "WithAuthorizer: the function", "WithActions", "WithPayloads", "WithDrain", "WithLogger"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %s in %v", want, err)
		}
	}
	h, err := hub.New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if _, err := dash.New(h); !errors.Is(err, hub.ErrOption) || !strings.Contains(err.Error(), "WithAuthorizer is missing") {
		t.Errorf("without an authorizer: %v", err)
	}
}

// every is each path of the dashboard, by method.
var every = map[string][]string{
	http.MethodGet:  {"", "dash.js", "dash.css", "api/about", "api/nodes", "api/conns", "api/rooms", "api/tail?room=a", "api/tail?conn=a", "hubkit.js", "live", "api/none", "none"},
	http.MethodPost: {"api/disconnect", "api/remove", "api/send", "api/publish", "api/drain"},
}

// typedNil is an error that is a nil pointer, as careless code returns it.
type typedNil struct{ text string }

func (e *typedNil) Error() string { return e.text }

// TestAuthorizer: nothing is served unless the authorizer returns nil, and only a verdict is answered as one.
func TestAuthorizer(t *testing.T) {
	var verdict func() error
	s := start(t, nil, dash.WithAuthorizer(func(*http.Request) error { return verdict() }), dash.WithActions(allowAction))
	for name, c := range map[string]struct {
		ask    func() error
		status int
		code   string
	}{
		"unauthorized": {func() error { return fmt.Errorf("who? %w", hub.ErrUnauthorized) }, 401, "unauthorized"},
		"forbidden":    {func() error { return hub.ErrForbidden }, 403, "forbidden"},
		"a status": {func() error {
			return &hub.HTTPError{Status: 429, Message: "slower", RetryAfter: 1500 * time.Millisecond}
		}, 429, "unavailable"},
		"a bad status":      {func() error { return &hub.HTTPError{Status: 200} }, 500, "internal"},
		"another error":     {func() error { return errors.New("the database is away") }, 503, "unavailable"},
		"a panic":           {func() error { panic("no") }, 500, "internal"},
		"a nil pointer":     {func() error { var e *typedNil; return e }, 503, "unavailable"},
		"a nil hub error":   {func() error { var e *hub.Error; return e }, 0, ""},
		"a nil http error":  {func() error { var e *hub.HTTPError; return e }, 0, ""},
		"a wrapped verdict": {func() error { return errors.Join(errors.New("x"), hub.ErrForbidden) }, 403, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			verdict = c.ask
			for method, paths := range every {
				for _, path := range paths {
					var f failure
					res := s.do(method, path, "{}", ours(), &f)
					if c.status == 0 && res.StatusCode >= 500 { // either is no verdict
						continue
					}
					if res.StatusCode != c.status || f.Error.Code != c.code || f.Error.Message == "" && c.status != 500 {
						t.Errorf("%s %s: %s %+v", method, path, res.Status, f)
					}
					if strings.Contains(f.Error.Message, "database") {
						t.Errorf("the client is told %q", f.Error.Message)
					}
					if c.status == 429 && res.Header.Get("Retry-After") != "2" {
						t.Errorf("Retry-After: %q", res.Header.Get("Retry-After"))
					}
				}
			}
		})
	}
}

// TestActionsAreRefused: what no request may do is not done, whatever it lacks.
func TestActionsAreRefused(t *testing.T) {
	with := func(name, value string) http.Header {
		h := ours()
		if value == "" {
			h.Del(name)
		} else {
			h.Set(name, value)
		}
		return h
	}
	bodies := map[string]string{
		"disconnect": `{"user":"ada"}`, "remove": `{"user":"ada","room":"r"}`, "send": `{"room":"r","data":1}`,
		"publish": `{"room":"r","data":1}`, "drain": `{"node":"n1"}`,
	}
	acted := make(chan dash.Action, 100)
	drained := make(chan struct{}, 100)
	s := start(t, []hub.Option{hub.WithNode("n1")}, dash.WithDrain(func() { drained <- struct{}{} }),
		dash.WithActions(func(r *http.Request, a dash.Action) error {
			if r.Header.Get("X-May") == "not" {
				return hub.ErrForbidden
			}
			if r.Header.Get("X-May") == "unknown" {
				return errors.New("the database is away")
			}
			acted <- a
			return nil
		}))
	readOnly := start(t, []hub.Option{hub.WithNode("n1")}, dash.WithDrain(func() { drained <- struct{}{} }))
	ws := s.join("ada", "r")
	other := readOnly.join("ada", "r")
	for name, c := range map[string]struct {
		at     *site
		header http.Header
		status int
		code   string
	}{
		"read-only":          {readOnly, ours(), 403, "read_only"},
		"no header":          {s, with("X-Hubkit-Dash", ""), 403, "header_missing"},
		"another header":     {s, with("X-Hubkit-Dash", "yes"), 403, "header_missing"},
		"a form":             {s, with("Content-Type", "application/x-www-form-urlencoded"), 415, "bad_content_type"},
		"text":               {s, with("Content-Type", "text/plain"), 415, "bad_content_type"},
		"no type":            {s, with("Content-Type", ""), 415, "bad_content_type"},
		"another site":       {s, with("Sec-Fetch-Site", "cross-site"), 403, "cross_origin"},
		"another origin":     {s, with("Sec-Fetch-Site", "same-site"), 403, "cross_origin"},
		"an older browser":   {s, with("Origin", "https://evil.example"), 403, "cross_origin"},
		"a page without one": {s, with("Origin", "null"), 403, "cross_origin"},
		"not allowed":        {s, with("X-May", "not"), 403, "forbidden"},
		"cannot be decided":  {s, with("X-May", "unknown"), 503, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			for action, body := range bodies {
				var f failure
				if res := c.at.do(http.MethodPost, "api/"+action, body, c.header, &f); res.StatusCode != c.status || f.Error.Code != c.code {
					t.Errorf("%s: %s %+v", action, res.Status, f)
				}
			}
		})
	}
	for action := range bodies {
		var f failure
		if res := s.do(http.MethodGet, "api/"+action, "", nil, &f); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
			t.Errorf("GET %s: %s, Allow %q", action, res.Status, res.Header.Get("Allow"))
		}
	}
	if len(acted) > 0 || len(drained) > 0 || s.hub.Stats().Published+readOnly.hub.Stats().Published > 0 {
		t.Errorf("%d actions were asked about, %d drains were done", len(acted), len(drained))
	}
	for _, ws := range []*websocket.Conn{ws, other} {
		if err := ws.WriteJSON(map[string]any{"op": "leave", "id": 9, "room": "r"}); err != nil {
			t.Error(err)
		}
		if next := await(t, ws, ""); next["op"] != "ok" { // and nothing came before it
			t.Errorf("%v", next)
		}
	}
	eventually(t, "each refusal is a line, or counted as left out", func() bool {
		lines, left := s.logs.of(t, "dash: an action was refused")
		return lines+left == 2*len(bodies)
	})
	if got := s.logs.String(); strings.Contains(got, `msg="dash: an action"`) {
		t.Errorf("the log:\n%s", got)
	}
}

// TestSameOriginActs: what the browser says of the page itself is no reason to refuse.
func TestSameOriginActs(t *testing.T) {
	s := start(t, nil, dash.WithActions(allowAction))
	for name, h := range map[string]http.Header{
		"no browser":       {},
		"the page":         {"Sec-Fetch-Site": {"same-origin"}, "Origin": {s.http.URL}},
		"behind a proxy":   {"Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://example.com"}},
		"an older browser": {"Origin": {s.http.URL}},
		"with a charset":   {"Content-Type": {"application/json; charset=utf-8"}},
	} {
		header := ours()
		maps.Copy(header, h)
		if res := s.do(http.MethodPost, "api/publish", `{"room":"r","data":1}`, header, nil); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
}

// TestBadInput: each is answered with 400, or what says more, and in the form of all errors.
func TestBadInput(t *testing.T) {
	s := start(t, nil, dash.WithActions(func(*http.Request, dash.Action) error { t.Error("it was asked about"); return nil }))
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"api/none", "", 404, "not_found"},
		{"none.js", "", 404, "not_found"},
		{"..%2fdash.go", "", 404, "not_found"},
		{"api/conns?limit=0", "", 400, "bad_request"},
		{"api/conns?limit=1001", "", 400, "bad_request"},
		{"api/conns?limit=ten", "", 400, "bad_request"},
		{"api/conns?limit=1&limit=2", "", 400, "bad_request"},
		{"api/conns?slowest=yes", "", 400, "bad_request"},
		{"api/conns?contains=x", "", 400, "bad_request"},
		{"api/conns?after=!", "", 400, "bad_request"},
		{"api/conns?after=bnVsbA", "", 400, "bad_request"}, // null
		{"api/conns?after=" + strings.Repeat("A", 70_000), "", 400, "bad_request"},
		{"api/conns?user=%zz", "", 400, "bad_request"},
		{"api/rooms?largest=2", "", 400, "bad_request"},
		{"api/rooms?slowest=1", "", 400, "bad_request"},
		{"api/nodes?node=a", "", 400, "bad_request"},
		{"api/tail", "", 400, "bad_request"},
		{"api/tail?room=a&conn=b", "", 400, "bad_request"},
		{"api/tail?conn=b", "", 404, "not_found"},
		{"api/tail?room=" + long, "", 400, "bad_request"},
		{"api/disconnect", ``, 400, "bad_request"},
		{"api/disconnect", `{}`, 400, "bad_request"},
		{"api/disconnect", `{"user":""}`, 400, "bad_request"},
		{"api/disconnect", `{"user":"a","room":"b"}`, 400, "bad_request"},
		{"api/disconnect", `{"users":"a"}`, 400, "bad_request"},
		{"api/disconnect", `{"user":"a"}{}`, 400, "bad_request"},
		{"api/disconnect", `{"user":1}`, 400, "bad_request"},
		{"api/disconnect", `{"user":"a","code":1006}`, 400, "bad_request"},
		{"api/disconnect", `{"user":"a","code":-1}`, 400, "bad_request"},
		{"api/disconnect", `{"user":"a","retry_after_ms":-1}`, 400, "bad_request"},
		{"api/disconnect", `{"user":"a","spread_ms":99999999999}`, 400, "bad_request"},
		{"api/disconnect", `{"user":"a","reason":"` + long + `"}`, 400, "bad_request"},
		{"api/disconnect?user=a", `{"user":"a"}`, 400, "bad_request"},
		{"api/remove", `{"user":"a"}`, 400, "bad_request"},
		{"api/remove", `{"room":"a"}`, 400, "bad_request"},
		{"api/remove", `{"user":"a","room":"` + long + `"}`, 400, "bad_request"},
		{"api/remove", `{"user":"a","session":"b","room":"c"}`, 400, "bad_request"},
		{"api/remove", `{"conn":"a"}`, 400, "bad_request"},
		{"api/remove", `{"conn":"a","room":"b","reason":"` + long + `"}`, 400, "bad_request"},
		{"api/remove", `{"conn":"a","room":"b","code":4000}`, 400, "bad_request"},
		{"api/send", `{"data":1}`, 400, "bad_request"},
		{"api/send", `{"user":"a"}`, 400, "bad_request"},
		{"api/send", `{"user":"a","conn":"b","data":1}`, 400, "bad_request"},
		{"api/send", `{"user":"a","data":}`, 400, "bad_request"},
		{"api/send", `{"user":"a","data":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large"},
		{"api/send?conn=a", `{"conn":"a","data":1}`, 400, "bad_request"},
		{"api/publish", `{"room":"a"}`, 400, "bad_request"},
		{"api/publish", `{"data":1}`, 400, "bad_request"},
		{"api/publish", `{"room":"a","data":}`, 400, "bad_request"},
		{"api/publish", `{"room":"a","data":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large"},
		{"api/drain", `{}`, 400, "bad_request"},
		{"api/drain", `[]`, 400, "bad_request"},
	} {
		method, header := http.MethodGet, http.Header(nil)
		if c.body != "" || strings.HasPrefix(c.path, "api/disconnect") {
			method, header = http.MethodPost, ours()
		}
		var f failure
		if res := s.do(method, c.path, c.body, header, &f); res.StatusCode != c.status || f.Error.Code != c.code || f.Error.Message == "" {
			t.Errorf("%s %.60s %.60s: %s %+v", method, c.path, c.body, res.Status, f)
		}
	}
}
