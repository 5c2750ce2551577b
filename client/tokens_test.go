package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// counting gives the tokens t1, t2 and so on.
func counting() (f func(context.Context) (string, error), calls *atomic.Int64) {
	calls = new(atomic.Int64)
	return func(context.Context) (string, error) { return fmt.Sprint("t", calls.Add(1)), nil }, calls
}

// welcomeFor accepts a connection whose identity is valid for d.
func (s *server) welcomeFor(d time.Duration) (*peer, request) {
	s.t.Helper()
	p := s.accept()
	hello := p.want(protocol.OpHello)
	p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1", Session: "s1", Ping: time.Hour, Expires: d}))
	return p, hello
}

func (p *peer) okFor(id uint64, room string, d time.Duration) {
	p.t.Helper()
	p.send(protocol.AppendOK(nil, protocol.OK{ID: id, Room: room, Expires: d}))
}

func (p *peer) refresh(room string) {
	p.t.Helper()
	p.send(protocol.AppendRefresh(nil, room, time.Minute))
}

// wantToken reads the next frame of a client in virtual time. It comes between from and to after start.
func wantToken(t *testing.T, frames <-chan request, token string, start time.Time, from, to time.Duration) request {
	t.Helper()
	q := <-frames
	if q.Op != protocol.OpToken || q.Token != token || q.ID == 0 {
		t.Fatalf("client sent %+v, want the token %s", q, token)
	}
	if d := time.Since(start); d < from || d > to {
		t.Errorf("the token came after %v, want %v to %v", d, from, to)
	}
	return q
}

// quiet waits for a day, in which nothing comes.
func quiet(t *testing.T, frames <-chan request) {
	t.Helper()
	select {
	case q := <-frames:
		t.Errorf("client sent %+v", q)
	case <-time.After(24 * time.Hour):
	}
}

var longHeartbeat = client.WithHeartbeat(10000*time.Hour, time.Hour)

// TestTokenIsRenewed: when the server asks, and unasked in the last fifth of the time, again and again.
func TestTokenIsRenewed(t *testing.T) {
	f, _ := counting()
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, hello := s.welcomeFor(time.Hour)
		start := time.Now()
		if hello.Token != "t1" {
			t.Errorf("hello has the token %q", hello.Token)
		}
		frames, _ := p.listen(true)
		q := wantToken(t, frames, "t2", start, 48*time.Minute, 54*time.Minute)
		p.okFor(q.ID, "", 10*time.Minute)
		start = time.Now()
		q = wantToken(t, frames, "t3", start, 8*time.Minute, 9*time.Minute)
		p.okFor(q.ID, "", time.Hour)
		time.Sleep(30 * time.Minute)
		start = time.Now()
		p.refresh("")
		q = wantToken(t, frames, "t4", start, 0, 0)
		p.refresh("") // crosses the token
		synctest.Wait()
		p.okFor(q.ID, "", 0)
		quiet(t, frames)
		p.cut()
		if _, hello := s.welcomeFor(0); hello.Token != "t5" {
			t.Errorf("the next hello has the token %q", hello.Token)
		}
	}, client.WithToken(f), longHeartbeat)
}

// TestTokenAnswers: what each answer makes the client do.
func TestTokenAnswers(t *testing.T) {
	refuse := func(code protocol.ErrorCode, after time.Duration) func(p *peer, id uint64) {
		return func(p *peer, id uint64) { p.fail(id, "", &protocol.Error{Code: code, RetryAfter: after}) }
	}
	again := func(from, to time.Duration) func(t *testing.T, p *peer, frames <-chan request) {
		return func(t *testing.T, p *peer, frames <-chan request) {
			q := wantToken(t, frames, "t3", time.Now(), from, to)
			p.okFor(q.ID, "", 0)
		}
	}
	for name, tt := range map[string]struct {
		answer func(p *peer, id uint64)
		then   func(t *testing.T, p *peer, frames <-chan request)
	}{
		"ok":           {answer: func(p *peer, id uint64) { p.okFor(id, "", 0) }},
		"unavailable":  {refuse(protocol.CodeUnavailable, 5*time.Second), again(5*time.Second, 10*time.Second)},
		"without hint": {refuse(protocol.CodeUnavailable, 0), again(time.Second, 2*time.Second)},
		"rate_limited": {refuse(protocol.CodeRateLimited, 0), func(t *testing.T, p *peer, frames <-chan request) {
			q := wantToken(t, frames, "t2", time.Now(), 0, time.Second) // nothing was carried out: the same one
			p.okFor(q.ID, "", 0)
		}},
		"unknown_op":   {answer: refuse(protocol.CodeUnknownOp, 0)},
		"unknown_room": {answer: refuse(protocol.CodeUnknownRoom, 0)},
		"internal":     {answer: refuse(protocol.CodeInternal, 0)},
		"unauthorized": {refuse(protocol.CodeUnauthorized, 0), func(t *testing.T, p *peer, frames <-chan request) {
			q := wantToken(t, frames, "t3", time.Now(), 0, 0)
			p.fail(q.ID, "", &protocol.Error{Code: protocol.CodeUnauthorized})
		}},
		"none": {func(*peer, uint64) {}, again(client.DefaultHandshakeTimeout, client.DefaultHandshakeTimeout)},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := counting()
			virtual(t, func(t *testing.T, s *server, c *client.Client) {
				run(t, c)
				p, _ := s.welcomeFor(0)
				frames, ended := p.listen(true)
				p.refresh("")
				tt.answer(p, wantToken(t, frames, "t2", time.Now(), 0, 0).ID)
				if tt.then != nil {
					tt.then(t, p, frames)
				}
				quiet(t, frames)
				select {
				case err := <-ended:
					t.Error("the connection ended:", err)
				default:
				}
				// In the end the server closes, and the client comes back with a new token.
				p.cut()
			}, client.WithToken(f), longHeartbeat)
		})
	}
}

// TestTokenExpired: a client whose token is not accepted stays until its end, and comes back with another.
func TestTokenExpired(t *testing.T) {
	f, _ := counting()
	s := newServer(t)
	run(t, newClient(t, s.url, client.WithToken(f)))
	p, _ := s.greet()
	for _, want := range []string{"t2", "t3"} {
		if want == "t2" {
			p.refresh("")
		}
		q := p.want(protocol.OpToken)
		if q.Token != want {
			t.Errorf("token is %q, want %q", q.Token, want)
		}
		p.fail(q.ID, "", &protocol.Error{Code: protocol.CodeUnauthorized})
	}
	p.close(protocol.CloseTokenExpired, "")
	if _, hello := s.greet(); hello.Token != "t4" {
		t.Errorf("hello has the token %q", hello.Token)
	}
}

// TestTokenErrors: an error of the token function is no verdict, and a permanent one ends the tries on this connection.
func TestTokenErrors(t *testing.T) {
	var calls int
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.welcomeFor(0)
		frames, _ := p.listen(true)
		start := time.Now()
		p.refresh("")
		// Three errors: 0.5 s to 1 s, 1 s to 2 s, 2 s to 4 s; one of them takes all of its time.
		q := wantToken(t, frames, "good", start, 3500*time.Millisecond+client.DefaultHandshakeTimeout, 7*time.Second+client.DefaultHandshakeTimeout)
		p.okFor(q.ID, "", 0)
		p.refresh("")
		quiet(t, frames)
		if calls != 6 {
			t.Errorf("%d calls, want 6", calls)
		}
	}, longHeartbeat, client.WithToken(func(ctx context.Context) (string, error) {
		switch calls++; calls {
		case 2, 4:
			return "", errors.New("the door is shut")
		case 3:
			<-ctx.Done()
			return "", ctx.Err()
		case 6:
			return "", backoff.Permanent(errors.New("no longer"))
		}
		return "good", nil
	}))
}

// TestRoomTokens: a room has the function that its subscription names, or that of the identity. One is called at a time.
func TestRoomTokens(t *testing.T) {
	var inside, most atomic.Int64
	from := func(token string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) {
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(time.Second)
			inside.Add(-1)
			return token, nil
		}
	}
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		subscribe(t, c, "own", func(client.Message) {}, client.RoomToken(from("room's")))
		subscribe(t, c, "plain", func(client.Message) {})
		left := subscribe(t, c, "left", func(client.Message) {})
		run(t, c)
		p, hello := s.welcomeFor(0)
		frames, _ := p.listen(true)
		for _, r := range hello.Resume {
			p.okFor(0, r.Room, time.Hour)
		}
		synctest.Wait()
		p.send(protocol.AppendJoined(nil, protocol.OK{Room: "given", Expires: time.Hour}))
		left.Stop()
		if q := <-frames; q.Op != protocol.OpLeave {
			t.Fatalf("client sent %+v", q)
		} else {
			p.ok(q.ID, "left", client.Position{})
		}
		for _, room := range []string{"own", "plain", "given", "left", "elsewhere", ""} {
			p.refresh(room)
		}
		want := map[string]string{"own": "room's", "plain": "identity's", "given": "identity's", "": "identity's"}
		for range len(want) {
			q := <-frames
			if q.Op != protocol.OpToken || q.Token != want[q.Room] {
				t.Errorf("client sent %+v", q)
			}
			delete(want, q.Room)
			p.okFor(q.ID, q.Room, 0)
		}
		quiet(t, frames)
		if most.Load() != 1 {
			t.Errorf("%d functions at a time", most.Load())
		}
	}, client.WithToken(from("identity's")), client.OnRoomMessage(func(client.Message) {}), longHeartbeat)
}

// TestRoomGrantIsRenewed: before it expires, without being asked.
func TestRoomGrantIsRenewed(t *testing.T) {
	f, _ := counting()
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		subscribe(t, c, "r", func(client.Message) {})
		run(t, c)
		p, _ := s.welcomeFor(0)
		frames, _ := p.listen(true)
		start := time.Now()
		p.okFor(0, "r", time.Minute)
		q := wantToken(t, frames, "t2", start, 48*time.Second, 54*time.Second)
		if q.Room != "r" {
			t.Errorf("the token is for room %q", q.Room)
		}
		p.okFor(q.ID, "r", time.Minute)
		start = time.Now()
		q = wantToken(t, frames, "t3", start, 48*time.Second, 54*time.Second)
		p.fail(q.ID, "r", &protocol.Error{Code: protocol.CodeUnknownRoom})
		quiet(t, frames)
	}, client.WithToken(f), longHeartbeat)
}

// TestNoTokenFunction: whoever has no token ignores that one is wanted.
func TestNoTokenFunction(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.welcomeFor(time.Minute)
		frames, _ := p.listen(true)
		p.refresh("")
		quiet(t, frames)
	}, longHeartbeat)
}

// TestTokenAboveTheLimit is not sent: it would end the connection.
func TestTokenAboveTheLimit(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.welcomeWith(protocol.Limits{Message: 200})
		frames, _ := p.listen(true)
		p.refresh("")
		quiet(t, frames)
	}, longHeartbeat, client.WithToken(func(context.Context) (string, error) { return strings.Repeat("x", 200), nil }))
}

// TestRefreshFlood: a server that asks without end does not make the client fetch without end.
func TestRefreshFlood(t *testing.T) {
	f, calls := counting()
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.welcomeFor(0)
		frames, _ := p.listen(true)
		for range 100 {
			p.refresh("")
			synctest.Wait()
			for len(frames) > 0 {
				p.okFor((<-frames).ID, "", 0)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := calls.Load(); n > 12 {
			t.Errorf("%d tokens in 10 s", n)
		}
	}, client.WithToken(f), longHeartbeat)
}

// TestTokenCrossesReconnect: a token that was fetched for a connection which has ended is not sent over the next one, and no
// answer is taken for that of another connection.
func TestTokenCrossesReconnect(t *testing.T) {
	f, calls := counting()
	s := newServer(t)
	run(t, newClient(t, s.url, client.WithToken(f)))
	for i := range 3000 {
		p, hello := s.greet()
		var first int64
		if _, err := fmt.Sscanf(hello.Token, "t%d", &first); err != nil {
			t.Fatal(err)
		}
		p.refresh("")
		if i%3 == 0 {
			q := p.want(protocol.OpToken)
			var n int64
			if _, err := fmt.Sscanf(q.Token, "t%d", &n); err != nil || n <= first {
				t.Fatalf("round %d: token %q on a connection that began with %q", i, q.Token, hello.Token)
			}
			switch i % 9 {
			case 0:
				p.okFor(q.ID, "", time.Hour)
			case 3:
				p.fail(q.ID, "", &protocol.Error{Code: protocol.CodeUnauthorized})
			}
		}
		p.cut()
	}
	if calls.Load() < 4000 {
		t.Errorf("only %d tokens", calls.Load())
	}
}
