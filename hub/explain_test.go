package hub_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

type explained struct {
	Status     int    `json:"status"`
	CloseCode  int    `json:"close_code"`
	Reason     string `json:"reason"`
	RetryAfter int64  `json:"retry_after_ms"`
	Spread     int64  `json:"spread_ms"`
}

// answered is what an answer has beside its body.
type answered struct {
	StatusCode int
	Header     http.Header
}

// asked asks how a handshake would be answered.
func (s *server) asked(t testing.TB, header http.Header) (answered, explained) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.http.URL+"?a=b&"+protocol.ExplainParam+"=1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	res, err := s.web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var e explained
	if err := json.NewDecoder(res.Body).Decode(&e); err != nil {
		t.Fatalf("%d: %v", res.StatusCode, err)
	}
	return answered{res.StatusCode, res.Header}, e
}

// TestExplain: what a browser does not show of a refused handshake can be asked for.
func TestExplain(t *testing.T) {
	var refuse error
	authenticate := func(*http.Request) (hub.Identity, error) {
		if refuse == errCrash {
			panic("a bug")
		}
		return hub.Identity{User: "ada"}, refuse
	}
	s := start(t, hub.WithAuthenticator(authenticate))
	for _, tt := range []struct {
		name string
		err  error
		want explained
		http int
	}{
		{"accepted", nil, explained{Status: 101, CloseCode: 1006, Reason: "the server would accept the connection"}, 200},
		{"unauthorized", hub.ErrUnauthorized, explained{Status: 401, CloseCode: 4100, Reason: "unauthorized"}, 401},
		{"forbidden", hub.ErrForbidden, explained{Status: 403, CloseCode: 4101, Reason: "forbidden"}, 403},
		{
			"own status", &hub.HTTPError{Status: 429, Message: "over quota", RetryAfter: 90 * time.Second},
			explained{Status: 429, CloseCode: 1013, Reason: "over quota", RetryAfter: 90_000, Spread: 45_000}, 429,
		},
		{"own refusal", &hub.HTTPError{Status: 402, Message: "pay <first>"}, explained{Status: 402, CloseCode: 1013, Reason: "pay <first>"}, 402},
		{"crash", errCrash, explained{Status: 500, CloseCode: 1013, Reason: "internal error"}, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse = tt.err
			before := s.Stats()
			res, got := s.asked(t, nil)
			if got != tt.want || res.StatusCode != tt.http {
				t.Errorf("%d %+v, want %d %+v", res.StatusCode, got, tt.http, tt.want)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Origin", "Access-Control-Allow-Origin": "",
			} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			after := s.Stats()
			if n := after.Refused - before.Refused; (n == 1) != (tt.err != nil) || after.Accepted != before.Accepted || after.Conns != 0 {
				t.Errorf("%d refused, %d accepted, %d connections", n, after.Accepted-before.Accepted, after.Conns)
			}
		})
	}
	refuse = errSecret // no verdict: nothing of it is told
	if _, got := s.asked(t, nil); got.Status != 503 || got.Reason != "try again later" || got.RetryAfter == 0 || got.Spread == 0 {
		t.Errorf("after an error that is no verdict: %+v", got)
	}
}

var errCrash = errors.New("crash")

// TestExplainOrigins: the answer is for the pages that may connect.
func TestExplainOrigins(t *testing.T) {
	called := 0
	s := start(t, hub.WithOrigins("app.example.com"), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		called++
		return hub.Identity{}, hub.ErrUnauthorized
	}))
	for _, tt := range []struct {
		origin, site string
		status       int
		readable     bool
	}{
		{"", "", 401, false},
		{"", "same-origin", 401, false}, // needs no permission
		{"", "none", 401, false},
		{s.http.URL, "same-origin", 401, true},
		{"https://app.example.com", "cross-site", 401, true},
		{"https://evil.example.com", "cross-site", 403, false},
		{"", "cross-site", 403, false}, // an image, or a fetch that may not read the answer
		{"", "same-site", 403, false},
		{"null", "cross-site", 403, false},
	} {
		header := http.Header{}
		for name, value := range map[string]string{"Origin": tt.origin, "Sec-Fetch-Site": tt.site} {
			if value != "" {
				header.Set(name, value)
			}
		}
		before := called
		res, got := s.asked(t, header)
		allow := res.Header.Get("Access-Control-Allow-Origin")
		if got.Status != tt.status || (allow != "") != tt.readable || tt.readable && (allow != tt.origin ||
			res.Header.Get("Access-Control-Allow-Credentials") != "true") {
			t.Errorf("%+v: %+v, allowed %q", tt, got, allow)
		}
		if (called > before) != (tt.status == 401) {
			t.Errorf("%+v: the authenticator was called %d times", tt, called-before)
		}
	}
}

// TestExplainIsBounded: who asks is admitted or refused as a handshake is, takes no place, and is told when to come.
func TestExplainIsBounded(t *testing.T) {
	s := start(t, hub.WithMaxConns(1), hub.WithMaxHandshakes(1), hub.WithAdmission(0.01, 10)) // so that who waits does so for long
	for range 3 {
		if _, got := s.asked(t, nil); got.Status != 101 {
			t.Fatalf("with a place free: %+v", got)
		}
	}
	c := s.connect(t, nil)
	c.welcomed()
	_, got := s.asked(t, nil)
	if got.Status != 503 || got.CloseCode != 1013 || got.Reason != "too many connections" || got.RetryAfter < 5000 || got.Spread == 0 {
		t.Errorf("without a place: %+v", got)
	}
	if a := s.Stats().Admission; a.AtCapacity != 1 || a.WaitingNew != 1 {
		t.Errorf("%+v, want one that waits", a)
	}

	fast := start(t, hub.WithAdmission(0.01, 1), hub.WithSoftRefusals(1))
	if _, got := fast.asked(t, nil); got.Status != 101 {
		t.Fatalf("the first: %+v", got)
	}
	// A fetch reads its answer: it takes a place among those that wait, and none of the soft refusals.
	_, got = fast.asked(t, http.Header{"Origin": {fast.http.URL}, "Sec-Fetch-Mode": {"cors"}})
	if got.Status != 503 || got.Reason != "too many new connections" || got.RetryAfter == 0 {
		t.Errorf("beyond the rate: %+v", got)
	}
	if a := fast.Stats().Admission; a.RateLimited != 1 || a.Soft != 0 || a.WaitingNew != 1 {
		t.Errorf("%+v", a)
	}
}

// TestExplainWhileDraining: pages of allowed origins are told when to come back.
func TestExplainWhileDraining(t *testing.T) {
	s := start(t)
	s.shutdown(t)
	res, got := s.asked(t, http.Header{"Origin": {s.http.URL}})
	if got.Status != 503 || got.Reason != "shutting down" || res.Header.Get("Access-Control-Allow-Origin") != s.http.URL {
		t.Errorf("%d %+v, header %v", res.StatusCode, got, res.Header)
	}
}

// TestExplainIsNoHandshake: handshakes, other methods and other values are what they were.
func TestExplainIsNoHandshake(t *testing.T) {
	s := start(t)
	url := s.url
	s.url += "?" + protocol.ExplainParam + "=1"
	s.connect(t, nil).welcomed()
	s.url = url
	raw := start(t, hub.WithRaw())
	for _, tt := range []struct {
		s             *server
		method, query string
	}{
		{s, http.MethodPost, protocol.ExplainParam + "=1"},
		{s, http.MethodHead, protocol.ExplainParam + "=1"},
		{s, http.MethodGet, protocol.ExplainParam + "=0"},
		{s, http.MethodGet, protocol.ExplainParam},
		{s, http.MethodGet, "x" + protocol.ExplainParam + "=1"},
		{s, http.MethodGet, "%zz&" + protocol.ExplainParam + "=%zz"},
		{raw, http.MethodGet, protocol.ExplainParam + "=1"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.s.http.URL+"?"+tt.query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := tt.s.web.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("%s %s: %d, want 426", tt.method, tt.query, res.StatusCode)
		}
	}
}
