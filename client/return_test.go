package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func TestHints(t *testing.T) {
	hint := func(after, spread time.Duration) string {
		return string(protocol.AppendHint(nil, protocol.Hint{RetryAfter: after, Spread: spread, Reason: "drain"}))
	}
	goAway := func(p *peer, after time.Duration) {
		p.t.Helper()
		p.send(protocol.AppendGoAway(nil, protocol.Hint{RetryAfter: after}))
	}
	refuse := func(s *server, code int, retryAfter func() string) {
		s.answer(func(w http.ResponseWriter, _ *http.Request) bool {
			s.answer(nil)
			w.Header().Set("Retry-After", retryAfter())
			w.WriteHeader(code)
			return true
		})
	}
	tests := []struct {
		name     string
		end      func(s *server, p *peer)
		min, max time.Duration
	}{
		{"close frame", func(_ *server, p *peer) { p.close(1012, hint(90*time.Second, 0)) }, 90 * time.Second, 90 * time.Second},
		{"close frame with spread", func(_ *server, p *peer) { p.close(4000, hint(90*time.Second, time.Minute)) },
			90 * time.Second, 150 * time.Second},
		{"close frame that says nothing", func(_ *server, p *peer) { p.close(1012, hint(0, 0)) }, 0, time.Millisecond},
		{"503 with seconds", func(s *server, p *peer) {
			refuse(s, 503, func() string { return "10" })
			p.cut()
		}, 10 * time.Second, 15*time.Second + time.Millisecond},
		{"503 with a date", func(s *server, p *peer) {
			refuse(s, 503, func() string { return time.Now().Add(time.Minute).UTC().Format(http.TimeFormat) })
			p.cut()
		}, 59 * time.Second, 90*time.Second + time.Millisecond},
		{"429", func(s *server, p *peer) {
			refuse(s, 429, func() string { return "1" })
			p.cut()
		}, time.Second, 2*time.Second + time.Millisecond},
		{"goaway", func(_ *server, p *peer) {
			goAway(p, 3*time.Second)
			if code := p.goodbye(); code != websocket.CloseGoingAway {
				p.t.Errorf("client closed with %d", code)
			}
		}, 3 * time.Second, 3 * time.Second},
		{"goaway at once", func(_ *server, p *peer) { goAway(p, 0); p.goodbye() }, 0, 0},
		{"goaway and a cut", func(_ *server, p *peer) {
			goAway(p, 3*time.Second)
			time.Sleep(time.Second)
			p.cut()
		}, 3 * time.Second, 3 * time.Second},
		{"goaway and a hint", func(_ *server, p *peer) {
			goAway(p, 3*time.Second)
			time.Sleep(time.Second)
			p.close(1001, hint(7*time.Second, 0))
		}, 8 * time.Second, 8 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *server, c *client.Client) {
				run(t, c)
				p, _ := s.greet()
				synctest.Wait()
				start := time.Now()
				tt.end(s, p)
				s.greet()
				if d := time.Since(start); d < tt.min || d > tt.max {
					t.Errorf("came back after %v, want %v to %v", d, tt.min, tt.max)
				}
			})
		})
	}
}

// TestResumeIsClaimed: in the handshake, by a client that was welcomed before, and by no other.
func TestResumeIsClaimed(t *testing.T) {
	for _, path := range []string{"", "/ws", "/ws?user=ada"} {
		s := newServer(t)
		queries := make(chan string, 10)
		s.answer(func(_ http.ResponseWriter, r *http.Request) bool {
			queries <- r.URL.RawQuery
			return false
		})
		policy, err := backoff.New(backoff.WithBase(time.Millisecond), backoff.WithCap(time.Millisecond), backoff.WithFirst(time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		c, err := client.New(s.url+path, client.WithBackoff(policy))
		if err != nil {
			t.Fatal(err)
		}
		run(t, c)
		s.accept().cut() // before it was welcomed
		p, _ := s.greet()
		p.cut()
		s.greet()
		_, own, given := strings.Cut(path, "?")
		claimed := protocol.ResumeParam + "=" + ticket
		if given {
			claimed = own + "&" + claimed
		}
		for i, want := range []string{own, own, claimed} {
			if got := <-queries; got != want {
				t.Errorf("%q: handshake %d has the query %q, want %q", path, i+1, got, want)
			}
		}
	}
}

func TestGoAwayCollectsAnswers(t *testing.T) {
	for _, answered := range []bool{true, false} {
		t.Run(fmt.Sprint("answered ", answered), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *server, c *client.Client) {
				run(t, c)
				p, _ := s.greet()
				called := make(chan error, 1)
				go func() {
					_, err := c.Call(t.Context(), "m", nil)
					called <- err
				}()
				call := p.want(protocol.OpCall)
				start := time.Now()
				p.send(protocol.AppendGoAway(nil, protocol.Hint{RetryAfter: 3 * time.Second}))
				frames, ended := p.listen(true)
				time.Sleep(4 * time.Second)
				pub, err := c.PublishAsync("r", []byte("1")) // too late for this connection
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				want := 8 * time.Second
				if answered {
					want = 5 * time.Second
					p.ok(call.ID, "", client.Position{})
				}
				if err := <-ended; err == nil {
					t.Error("the connection has not ended")
				}
				if d := time.Since(start); d != want {
					t.Errorf("client went after %v, want %v", d, want)
				}
				if err := <-called; answered && err != nil || !answered && !errors.Is(err, client.ErrDisconnected) {
					t.Error("Call returned", err)
				}
				if len(frames) != 0 {
					t.Errorf("client sent %+v after its time", <-frames)
				}
				p, _ = s.greet()
				p.ok(p.want(protocol.OpPublish).ID, "r", client.Position{})
				if _, err := pub.Wait(t.Context()); err != nil {
					t.Error("publication:", err)
				}
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	policy, err := backoff.New(backoff.WithBase(time.Second), backoff.WithCap(8*time.Second),
		backoff.WithFirst(0), backoff.WithSeed(1))
	if err != nil {
		t.Fatal(err)
	}
	var waits []time.Duration
	var tries []time.Time
	virtual(t, func(t *testing.T, _ *server, c *client.Client) {
		run(t, c)
		time.Sleep(10 * time.Minute)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}, client.WithBackoff(policy),
		client.WithDialer(func(context.Context, string, string) (net.Conn, error) {
			tries = append(tries, time.Now())
			return nil, errors.New("connection refused")
		}),
		client.OnState(func(st client.State) {
			if st.Status == client.Disconnected {
				waits = append(waits, st.Wait)
			}
		}))
	if len(tries) < 75 {
		t.Fatalf("%d tries in 10 minutes", len(tries))
	}
	var total time.Duration
	for i, wait := range waits {
		if limit := min(8*time.Second, time.Second<<min(i, 10)); wait > limit {
			t.Errorf("wait %d is %v, more than %v", i, wait, limit)
		}
		if total += wait; i+1 < len(tries) && !tries[i+1].Equal(tries[0].Add(total)) {
			t.Errorf("try %d came after %v, want %v", i+1, tries[i+1].Sub(tries[0]), total)
		}
	}
}

func TestRetryWindow(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.greet()
		old, err := c.PublishAsync("r", []byte(`"old"`))
		if err != nil {
			t.Fatal(err)
		}
		p.want(protocol.OpPublish)
		time.Sleep(2 * time.Minute)
		young, err := c.PublishAsync("r", []byte(`"young"`))
		if err != nil {
			t.Fatal(err)
		}
		p.want(protocol.OpPublish)
		hint := protocol.AppendHint(nil, protocol.Hint{RetryAfter: 3 * time.Minute})
		p.close(protocol.CloseTryAgainLater, string(hint))
		unsent, err := c.PublishAsync("r", []byte(`"unsent"`))
		if err != nil {
			t.Fatal(err)
		}
		p, _ = s.greet()
		for _, want := range []string{`"young"`, `"unsent"`} {
			q := p.want(protocol.OpPublish)
			if q.Data != want {
				t.Errorf("client sent %s, want %s", q.Data, want)
			}
			p.ok(q.ID, "r", client.Position{})
		}
		if _, err := old.Wait(t.Context()); !errors.Is(err, client.ErrDisconnected) {
			t.Error("old publication:", err)
		}
		for _, pub := range []*client.Publication{young, unsent} {
			if _, err := pub.Wait(t.Context()); err != nil {
				t.Error("publication:", err)
			}
		}
	}, client.WithHeartbeat(time.Hour, time.Hour)) // the server does not listen for minutes
}
