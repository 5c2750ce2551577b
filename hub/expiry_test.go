package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// fine has rights end soon after their time, and clients of rights of 250 ms asked for a token.
var fine = hub.RightsTick(10 * time.Millisecond)

// timedToken is "ada 1500": the user, and the milliseconds for which the token is valid; none for ever.
func timedToken(_ context.Context, token string) (hub.Identity, error) {
	user, ms, _ := strings.Cut(token, " ")
	switch user {
	case "bad":
		return hub.Identity{}, hub.ErrUnauthorized
	case "unknown":
		return hub.Identity{}, errSecret
	case "panic":
		panic("boom")
	}
	id := hub.Identity{User: user}
	if n, err := strconv.Atoi(ms); err == nil {
		id.ExpiresAt = time.Now().Add(time.Duration(n) * time.Millisecond)
	}
	return id, nil
}

// rightsGone waits until no right of a connection that has ended is kept.
func (s *server) rightsGone(t *testing.T) {
	t.Helper()
	await(t, "no right is kept", func() bool { return s.Stats().Conns == 0 && s.Rights() == 0 })
}

// TestIdentityExpires: with and without a token verifier the connection ends with its identity, and not before.
func TestIdentityExpires(t *testing.T) {
	const life = 5 * time.Second
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		for name, verifier := range map[string]bool{"authenticator": false, "verifier": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				until := time.Now().Add(life)
				opts := []hub.Option{fine}
				if verifier {
					opts = append(opts, hub.WithTokenVerifier(func(context.Context, string) (hub.Identity, error) {
						return hub.Identity{User: "ada", ExpiresAt: until}, nil
					}))
				} else {
					opts = append(opts, hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
						return hub.Identity{ExpiresAt: until}, nil
					}))
				}
				s := tr.start(t, opts...)
				why := make(chan error, 1)
				s.OnConnect(func(_ context.Context, c *hub.Conn) error {
					if !c.Identity().ExpiresAt.Equal(until) {
						t.Errorf("expires at %v, want %v", c.Identity().ExpiresAt, until)
					}
					return nil
				})
				s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { why <- err })
				c := s.connect(t, nil, protocol.Subprotocol)
				c.write(`{"op":"hello"}`)
				if w := c.welcomed(); w.Expires < 1 || w.Expires > int(life/time.Millisecond) {
					t.Errorf("the identity is valid for %d ms", w.Expires)
				}
				if !verifier {
					if r := c.ask(`{"op":"token","id":1,"token":"x"}`); r.Code != "unknown_op" {
						t.Errorf("a token where none are taken: %+v", r)
					}
				}
				c.closed(protocol.CloseTokenExpired)
				if early := time.Until(until); early > 0 {
					t.Errorf("closed %v too early", early)
				}
				if ce, ok := errors.AsType[*hub.CloseError](receive(t, "OnDisconnect", why)); !ok || ce.Code != protocol.CloseTokenExpired {
					t.Errorf("OnDisconnect was told %v", ce)
				}
				s.rightsGone(t)
			})
		}
	})
}

// TestIdentityOverAtOnce: an identity that has ended already is not taken.
func TestIdentityOverAtOnce(t *testing.T) {
	past := hub.Identity{User: "ada", ExpiresAt: time.Now().Add(-time.Second)}
	s := start(t, fine, hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return past, nil }))
	if got := s.refused(t, nil); got.status != http.StatusUnauthorized {
		t.Errorf("refused with %+v", got)
	}
	s = start(t, fine, hub.WithTokenVerifier(func(context.Context, string) (hub.Identity, error) { return past, nil }))
	c := s.connect(t, nil, protocol.Subprotocol)
	c.write(`{"op":"hello"}`)
	c.closed(protocol.CloseTokenExpired)
	if st := s.Stats(); st.Failures != 0 || st.Panics != 0 {
		t.Errorf("a verdict is counted as a failure: %+v", st)
	}
	s.rightsGone(t)
}

// TestIdentityReplaced: what the verifier says of the end replaces what the authenticator said.
func TestIdentityReplaced(t *testing.T) {
	s := start(t, fine, hub.WithTokenVerifier(timedToken), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		return hub.Identity{User: "ada", ExpiresAt: time.Now().Add(time.Hour)}, nil
	}))
	c := s.dialV1(t, `{"op":"hello","token":"ada"}`)
	if n := s.Rights(); n != 0 {
		t.Errorf("%d rights have an end", n)
	}
	c.alive()
}

// TestTokenInPlace: a new token moves the end.
func TestTokenInPlace(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		const life = 6 * time.Second
		s := tr.start(t, fine, hub.WithTokenVerifier(timedToken))
		begun := time.Now()
		c := s.dialV1(t, `{"op":"hello","token":"ada 6000"}`)
		if r := c.ask(`{"op":"token","id":1,"token":"ada 60000"}`); r.Op != "ok" || r.ID != 1 || r.Expires < 30_000 || r.Expires > 60_000 {
			t.Fatalf("got %+v", r)
		}
		time.Sleep(time.Until(begun.Add(life + 200*time.Millisecond)))
		c.alive()
		if r := c.ask(`{"op":"token","id":2,"token":"ada"}`); r.Op != "ok" || r.Expires != 0 || s.Rights() != 0 {
			t.Fatalf("a token without end: %+v, %d rights", r, s.Rights())
		}
		if r := c.ask(`{"op":"token","id":3,"token":"ada 500"}`); r.Op != "ok" || r.Expires < 1 || r.Expires > 500 {
			t.Fatalf("a short token: %+v", r)
		}
		c.closed(protocol.CloseTokenExpired)
		s.rightsGone(t)
	})
}

// TestAskedForToken: clients are asked at 60 to 80 % of the time of each right, if the hub takes tokens.
func TestAskedForToken(t *testing.T) {
	// The room's right may end at half of that and more, and before the client is asked for the other's token at 12 seconds.
	const life = 20 * time.Second
	for _, takes := range []bool{true, false} {
		t.Run(fmt.Sprintf("takes=%v", takes), func(t *testing.T) {
			t.Parallel() // it takes a while, and little else
			begun := time.Now()
			identity := hub.Identity{User: "ada", ExpiresAt: begun.Add(life)}
			opt := hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return identity, nil })
			if takes {
				opt = hub.WithTokenVerifier(func(context.Context, string) (hub.Identity, error) { return identity, nil })
			}
			s := start(t, fine, opt)
			s.OnJoinGrant(grantFor(life/2, false))
			c := s.dialV1(t, `{"op":"hello"}`)
			c.ask(`{"op":"join","id":1,"room":"a"}`)
			var got []string
			for {
				p, err := c.tryNext()
				if err != nil {
					break
				}
				var r reply
				if err := json.Unmarshal(p, &r); err != nil {
					t.Fatal(err)
				}
				got = append(got, r.Op+" "+r.Room)
				of := life
				if r.Room != "" {
					of /= 2
				}
				if at := time.Since(begun); r.Op == "refresh" && (at < of*6/10 || r.Expires < 1 || r.Expires > int(of*4/10/time.Millisecond)) {
					t.Errorf("after %v: %+v", at, r)
				}
			}
			want := []string{"refresh a", "left a", "refresh "}
			if !takes {
				want = []string{"left a"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestTokenRefused: whatever comes of a token, the connection and its end stay as they were.
func TestTokenRefused(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, fine, hub.WithTokenVerifier(timedToken), hub.WithOpenRooms("open"))
		c := s.dialV1(t, `{"op":"hello","token":"ada 600000"}`)
		for token, want := range map[string]string{
			"bob": "unauthorized", "": "unauthorized", "bad": "unauthorized", "ada -1": "unauthorized", "unknown": "unavailable", "panic": "internal",
		} {
			r := c.ask(fmt.Sprintf(`{"op":"token","id":7,"token":%q}`, token))
			if r.Op != "error" || r.ID != 7 || r.Code != want || (r.RetryAfter > 0) != (want == "unavailable") {
				t.Errorf("token %q: %+v, want %s", token, r, want)
			}
			if n := s.Rights(); n != 1 {
				t.Errorf("token %q: %d rights have an end", token, n)
			}
		}
		if r := c.ask(`{"op":"token","id":8,"token":"ada","room":"open"}`); r.Code != "unknown_room" {
			t.Errorf("of a room that it is not in: %+v", r)
		}
		c.ask(`{"op":"join","id":9,"room":"open"}`)
		c.write(`{"op":"token","id":8,"token":"ada 1000","room":"open"}`)
		c.expect(`{"op":"ok","id":8,"room":"open"}`) // which does not expire
		if st := s.Stats(); st.Failures != 1 || st.Panics != 1 {
			t.Errorf("%d failures and %d panics, want one each", st.Failures, st.Panics)
		}
		c.alive()
	})
}

// TestTokenIsBounded: tokens in place count as handshakes under way, have their deadline, and cost nobody the connection.
func TestTokenIsBounded(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	s := start(t, hub.WithMaxHandshakes(1), hub.WithHandshakeTimeout(3*time.Second), hub.WithTokenVerifier(func(ctx context.Context, token string) (hub.Identity, error) {
		switch token {
		case "wait":
			entered <- struct{}{}
			<-release
		case "late":
			<-ctx.Done()
			return hub.Identity{}, ctx.Err()
		}
		return hub.Identity{}, nil
	}))
	first, second := s.dialV1(t, `{"op":"hello"}`), s.dialV1(t, `{"op":"hello"}`)
	first.write(`{"op":"token","id":1,"token":"wait"}`)
	receive(t, "the first is verified", entered)
	if r := second.ask(`{"op":"token","id":1,"token":""}`); r.Code != "unavailable" || r.RetryAfter < 1000 {
		t.Errorf("beyond the bound: %+v", r)
	}
	if st := s.Stats().Admission; st.BusyVerifiers != 1 || st.Handshaking != 1 || st.Handshakes != 0 {
		t.Errorf("stats %+v", st)
	}
	close(release)
	first.expect(`{"op":"ok","id":1}`)
	if r := first.ask(`{"op":"token","id":2,"token":"late"}`); r.Code != "unavailable" {
		t.Errorf("beyond its time: %+v", r)
	}
	if r := second.ask(`{"op":"token","id":2,"token":""}`); r.Op != "ok" {
		t.Errorf("afterwards: %+v", r)
	}
	if _, handshakes := s.Tickets(); handshakes != 0 {
		t.Errorf("%d handshakes are under way", handshakes)
	}
}

// TestTokenRacesEnd: after the answer to a token the end of the one before closes nothing.
func TestTokenRacesEnd(t *testing.T) {
	const clients, rounds = 20, 150
	s := start(t, hub.RightsTick(time.Millisecond), hub.WithoutRateLimit(), hub.WithTokenVerifier(timedToken))
	var all sync.WaitGroup
	var renewed atomic.Int64
	for i := range clients {
		all.Go(func() {
			var c *client
			for j := range rounds {
				if c == nil {
					c = s.dialV1(t, `{"op":"hello","token":"ada 600000"}`)
				}
				c.write(`{"op":"token","token":"ada 4","id":1}`)
				time.Sleep(time.Duration((i*7+j*3)%60) * 100 * time.Microsecond) // around the end
				_ = c.ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"token","token":"ada 600000","id":2}`))
				ok := false
				for !ok {
					p, err := c.tryNext()
					if err != nil {
						break
					}
					ok = strings.HasPrefix(string(p), `{"op":"ok","id":2`)
				}
				if !ok { // it had ended
					_ = c.ws.Close()
					c = nil
					continue
				}
				renewed.Add(1)
				if j%8 == 0 {
					time.Sleep(10 * time.Millisecond)
				}
				_ = c.ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"ping","id":3}`))
				if p, err := c.tryNext(); err != nil || string(p) != `{"op":"ok","id":3}` {
					t.Errorf("after ok to a token: %s, %v", p, err)
					return
				}
			}
		})
	}
	all.Wait()
	if n := renewed.Load(); n == 0 || n == clients*rounds {
		t.Errorf("%d of %d tokens came in time: nothing raced", n, clients*rounds)
	}
}
