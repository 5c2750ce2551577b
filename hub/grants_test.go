package hub_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// grantFor lets clients into every room for a time; for ever if that is zero.
func grantFor(d time.Duration, readOnly bool) func(context.Context, *hub.Conn, string) (hub.Grant, error) {
	return func(context.Context, *hub.Conn, string) (hub.Grant, error) {
		g := hub.Grant{ReadOnly: readOnly}
		if d != 0 {
			g.ExpiresAt = time.Now().Add(d)
		}
		return g, nil
	}
}

// TestGrantExpires: at the end the client is out of the room and told so, in rooms of every kind; it may ask again.
func TestGrantExpires(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, fine, hub.WithRooms("past:*", hub.DefaultHistory()), hub.WithRooms("here:*", hub.Presence()))
		s.OnJoinGrant(grantFor(time.Second, false))
		s.OnPublish(func(context.Context, *hub.Conn, *hub.Publication) error { return nil })
		for _, room := range []string{"plain", "past:1", "here:1"} {
			c := s.dial(t)
			for range 2 {
				begun := time.Now()
				if r := c.ask(fmt.Sprintf(`{"op":"join","id":1,"room":%q}`, room)); r.Op != "ok" || r.Expires < 1 || r.Expires > 1000 || r.ReadOnly {
					t.Fatalf("%s: %+v", room, r)
				}
				c.write(fmt.Sprintf(`{"op":"publish","room":%q,"data":1}`, room))
				for {
					r := c.read()
					if r.Op == "join" || r.Op == "message" {
						continue
					}
					if r.Op != "left" || r.Room != room || r.Code != "expired" || r.Message == "" || r.RetryAfter != 0 {
						t.Fatalf("%s: %+v", room, r)
					}
					break
				}
				if d := time.Since(begun); d < time.Second {
					t.Errorf("%s: out after %v", room, d)
				}
				if _, err := s.Publish(t.Context(), room, []byte(`2`)); err != nil {
					t.Fatal(err)
				}
				c.alive()
				if n := s.Rights(); n != 0 {
					t.Errorf("%s: %d rights are kept", room, n)
				}
			}
			_ = c.ws.Close()
		}
		s.rightsGone(t)
	})
}

// TestGrantIsNarrowest: of all that the functions grant, the least holds, and all must agree.
func TestGrantIsNarrowest(t *testing.T) {
	agree := func(context.Context, *hub.Conn, string) error { return nil }
	for name, tt := range map[string]struct {
		grants   []func(context.Context, *hub.Conn, string) (hub.Grant, error)
		from, to int // expires_ms
		readOnly bool
		code     string
	}{
		"no bounds":      {grants: []func(context.Context, *hub.Conn, string) (hub.Grant, error){grantFor(0, false)}},
		"one":            {[]func(context.Context, *hub.Conn, string) (hub.Grant, error){grantFor(time.Minute, false)}, 50_000, 60_000, false, ""},
		"the earliest":   {[]func(context.Context, *hub.Conn, string) (hub.Grant, error){grantFor(time.Hour, false), grantFor(time.Minute, true), grantFor(0, false)}, 50_000, 60_000, true, ""},
		"read-only":      {[]func(context.Context, *hub.Conn, string) (hub.Grant, error){grantFor(0, true), grantFor(0, false)}, 0, 0, true, ""},
		"over":           {[]func(context.Context, *hub.Conn, string) (hub.Grant, error){grantFor(time.Hour, false), grantFor(-time.Second, false)}, 0, 0, false, "expired"},
		"refused":        {[]func(context.Context, *hub.Conn, string) (hub.Grant, error){grantFor(time.Hour, true), func(context.Context, *hub.Conn, string) (hub.Grant, error) { return hub.Grant{}, hub.ErrForbidden }}, 0, 0, false, "forbidden"},
		"a nil function": {[]func(context.Context, *hub.Conn, string) (hub.Grant, error){grantFor(0, false), nil}, 0, 0, false, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.OnJoin(agree)
			for _, f := range tt.grants {
				s.OnJoinGrant(f)
			}
			s.OnJoin(agree)
			c := s.dial(t)
			r := c.ask(`{"op":"join","id":1,"room":"a"}`)
			if r.Code != tt.code || r.Expires < tt.from || r.Expires > tt.to || r.ReadOnly != tt.readOnly {
				t.Errorf("%+v", r)
			}
			want := 0
			if tt.to > 0 {
				want = 1
			}
			await(t, "the grant's end is known", func() bool { return s.Rights() == want })
			_ = c.ws.Close()
			s.rightsGone(t)
		})
	}
}

// TestReadOnly: who may only read may not publish while it is in the room, and nobody is asked.
func TestReadOnly(t *testing.T) {
	s := start(t)
	s.OnJoinGrant(func(_ context.Context, _ *hub.Conn, room string) (hub.Grant, error) {
		return hub.Grant{ReadOnly: room == "read"}, nil
	})
	asked := 0
	s.OnPublish(func(context.Context, *hub.Conn, *hub.Publication) error { asked++; return nil })
	c := s.dial(t)
	c.write(`{"op":"join","id":1,"room":"read"}`)
	c.expect(`{"op":"ok","id":1,"room":"read","read_only":true}`)
	c.write(`{"op":"join","id":2,"room":"write"}`)
	c.expect(`{"op":"ok","id":2,"room":"write"}`)
	if r := c.ask(`{"op":"publish","id":3,"room":"read","data":1}`); r.Code != "forbidden" || asked != 0 {
		t.Errorf("%+v, OnPublish was asked %d times", r, asked)
	}
	c.write(`{"op":"publish","room":"write","data":1}`)
	c.expect(`{"op":"message","room":"write","data":1}`)
	c.ask(`{"op":"leave","id":4,"room":"read"}`)
	if r := c.ask(`{"op":"publish","id":5,"room":"read","data":1}`); r.Op != "ok" || asked != 2 {
		t.Errorf("after leaving: %+v, OnPublish was asked %d times", r, asked)
	}
}

// TestGrantRenewed: a token of the same user has the functions asked again, and the end is as they and the token say.
func TestGrantRenewed(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, fine, hub.WithTokenVerifier(timedToken))
		var mu sync.Mutex
		next, refuse := grantFor(time.Hour, true), error(nil)
		s.OnJoinGrant(func(ctx context.Context, c *hub.Conn, room string) (hub.Grant, error) {
			mu.Lock()
			defer mu.Unlock()
			if refuse != nil {
				return hub.Grant{}, refuse
			}
			return next(ctx, c, room)
		})
		set := func(d time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			next, refuse = grantFor(d, false), err
		}
		c := s.dialV1(t, `{"op":"hello","token":"ada"}`)
		c.ask(`{"op":"join","id":1,"room":"a"}`)
		renew := func(token string) reply {
			t.Helper()
			r := c.ask(`{"op":"token","id":2,"token":"` + token + `","room":"a"}`)
			for r.Op == "refresh" {
				r = c.read()
			}
			return r
		}
		set(time.Hour, hub.ErrForbidden)
		if r := renew("ada"); r.Code != "forbidden" {
			t.Errorf("not allowed any more: %+v", r)
		}
		set(time.Hour, errSecret)
		if r := renew("ada"); r.Code != "unavailable" || r.RetryAfter < 1000 {
			t.Errorf("no verdict: %+v", r)
		}
		set(time.Hour, nil)
		if r := renew("bob"); r.Code != "unauthorized" {
			t.Errorf("another user's: %+v", r)
		}
		set(3*time.Second, nil)
		begun := time.Now()
		if r := renew("ada"); r.Op != "ok" || r.Expires > 3000 {
			t.Errorf("for three seconds: %+v", r)
		}
		set(time.Hour, nil)
		if r := renew("ada 60000"); r.Op != "ok" || r.Room != "a" || r.Expires < 50_000 || r.Expires > 60_000 || r.ReadOnly {
			t.Errorf("bounded by the token: %+v", r)
		}
		if r := renew("ada"); r.Op != "ok" || r.Expires < 3_000_000 {
			t.Errorf("bounded by the grant: %+v", r)
		}
		time.Sleep(time.Until(begun.Add(3200 * time.Millisecond)))
		c.alive()
		set(0, nil)
		if r := renew("ada"); r.Op != "ok" || r.Expires != 0 || s.Rights() != 0 {
			t.Errorf("without bounds: %+v, %d rights", r, s.Rights())
		}
		c.alive()
	})
}

// TestGrantOfRejoin: joining again asks again, leaving ends the grant, and what refuses a join leaves the grant before.
func TestGrantOfRejoin(t *testing.T) {
	for _, room := range []string{"plain", "past:1"} {
		t.Run(room, func(t *testing.T) {
			s := start(t, fine, hub.WithRooms("past:*", hub.DefaultHistory()))
			lives := make(chan time.Duration, 10)
			s.OnJoinGrant(func(ctx context.Context, c *hub.Conn, room string) (hub.Grant, error) {
				return grantFor(<-lives, false)(ctx, c, room)
			})
			c := s.dial(t)
			join := func(d time.Duration, more string) reply {
				t.Helper()
				lives <- d
				return c.ask(`{"op":"join","id":1,"room":"` + room + `"` + more + `}`)
			}
			join(time.Second, "")
			r := join(time.Hour, "")
			if r.Op == "left" { // the machine is slow, and the second was over
				r = c.read()
			}
			if r.Op != "ok" || r.Expires < 3_000_000 {
				t.Errorf("joined again: %+v", r)
			}
			time.Sleep(1200 * time.Millisecond)
			c.alive()
			if room == "plain" { // a position is refused there
				if r := join(time.Second, `,"epoch":"e","offset":1`); r.Code != "no_history" {
					t.Errorf("%+v", r)
				}
				time.Sleep(1200 * time.Millisecond)
				c.alive()
			}
			if n := s.Rights(); n != 1 {
				t.Errorf("%d rights have an end, want 1", n)
			}
			c.ask(`{"op":"leave","id":1,"room":"` + room + `"}`)
			if n := s.Rights(); n != 0 {
				t.Errorf("%d rights have an end after the room was left", n)
			}
			if r := join(0, ""); r.Op != "ok" || r.Expires != 0 || s.Rights() != 0 {
				t.Errorf("without bounds: %+v", r)
			}
		})
	}
}
