package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// welcomeWith accepts a connection and welcomes it with limits.
func (s *server) welcomeWith(l protocol.Limits) (*peer, request) {
	s.t.Helper()
	p := s.accept()
	hello := p.want(protocol.OpHello)
	p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1", Session: "s1", Limits: l}))
	return p, hello
}

// size is that of the hello as the client has sent it.
func size(q request) int {
	r := protocol.Request{Op: q.Op, Token: []byte(q.Token), Session: []byte(q.Session)}
	for _, res := range q.Resume {
		r.Resume = append(r.Resume, protocol.Resume{Room: []byte(res.Room),
			Position: protocol.Position{Epoch: []byte(res.Position.Epoch), Offset: res.Position.Offset}})
	}
	return len(protocol.AppendRequest(nil, &r))
}

// TestHelloIsSplit: rooms that the hello has no place for are joined from their positions.
func TestHelloIsSplit(t *testing.T) {
	const n = 100
	s := newServer(t)
	c := newClient(t, s.url)
	name := func(i int) string { return fmt.Sprintf("%d:%s", i, strings.Repeat("x", 60)) }
	for i := range n {
		subscribe(t, c, name(i), func(client.Message) {}, client.FromPosition(at(uint64(i))))
	}
	run(t, c)
	for round, tt := range []struct {
		most   int
		limits protocol.Limits // announced in this round
	}{
		{most: 4 << 10, limits: protocol.Limits{Message: 8 << 10}},
		{most: 8 << 10, limits: protocol.Limits{Message: 64 << 10}},
		{most: 64 << 10, limits: protocol.Limits{ByteRate: 1 << 20, ByteBurst: 5000}},
		{most: 2500},
	} {
		p, hello := s.welcomeWith(tt.limits)
		if got := size(hello); got > tt.most || got < tt.most-200 && len(hello.Resume) < n {
			t.Errorf("round %d: the hello has %d bytes with %d rooms, want at most %d and nearly as many", round, got, len(hello.Resume), tt.most)
		}
		for i := range n {
			var got room
			if i < len(hello.Resume) {
				got = hello.Resume[i]
				p.ok(0, got.Room, got.Position)
			} else {
				j := p.want(protocol.OpJoin)
				got = room{j.Room, j.Position}
				p.ok(j.ID, j.Room, j.Position)
			}
			if want := (room{name(i), at(uint64(i))}); got != want {
				t.Fatalf("round %d: room %d is %v, want %v", round, i, got, want)
			}
		}
		p.cut()
	}
}

// TestHelloAboveAnotherLimit: the node that the client comes back to reads less than the one before.
func TestHelloAboveAnotherLimit(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	for i := range 3 {
		subscribe(t, c, fmt.Sprint("r", i), func(client.Message) {})
	}
	r := run(t, c)
	p, _ := s.welcomeWith(protocol.Limits{Message: 64 << 10})
	p.cut()
	p = s.accept()
	if hello := p.want(protocol.OpHello); len(hello.Resume) != 3 {
		t.Fatalf("hello resumes %v", hello.Resume)
	}
	p.refuse(protocol.CloseTooBig)
	p = s.accept()
	if hello := p.want(protocol.OpHello); len(hello.Resume) != 0 {
		t.Fatalf("the next hello resumes %v", hello.Resume)
	}
	p.welcome()
	for range 3 {
		p.want(protocol.OpJoin)
	}
	p.cut()
	p = s.accept()
	if hello := p.want(protocol.OpHello); len(hello.Resume) != 3 {
		t.Errorf("the hello after that resumes %v", hello.Resume)
	}
	p.refuse(protocol.CloseTooBig)
	p = s.accept()
	p.want(protocol.OpHello)
	p.refuse(protocol.CloseTooBig) // nothing is left to be taken out
	var e *client.CloseError
	if err := r.end(); !errors.As(err, &e) || e.Code != protocol.CloseTooBig {
		t.Error("Run returned", err)
	}
}

// meter counts what comes against limits as a hub does.
type meter struct {
	limits protocol.Limits
	level  float64
	last   time.Time
}

func (m *meter) take(cost float64) bool {
	now := time.Now()
	if m.last.IsZero() {
		m.level = float64(m.limits.Burst)
	} else {
		m.level = min(float64(m.limits.Burst), m.level+m.limits.Rate*now.Sub(m.last).Seconds())
	}
	m.last = now
	if m.level < cost {
		return false
	}
	m.level -= cost
	return true
}

// TestPacedToTheAnnouncedRate: resumes and publications keep to it together, over one connection, and neither waits for
// the other's end.
func TestPacedToTheAnnouncedRate(t *testing.T) {
	const rooms, pubs = 400, 300
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		limits := protocol.Limits{Rate: 20, Burst: 40, Rooms: 500}
		for i := range rooms {
			subscribe(t, c, fmt.Sprint("r", i), func(client.Message) {})
		}
		var all []*client.Publication
		for i := range pubs {
			pub, err := c.PublishAsync("elsewhere", fmt.Append(nil, i))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pub)
		}
		run(t, c)
		p, _ := s.welcomeWith(limits) // by now it knows
		p.cut()
		p = s.accept()
		m := meter{limits: limits}
		hello := p.want(protocol.OpHello)
		if !m.take(float64(1+len(hello.Resume))) || len(hello.Resume) == 0 {
			t.Fatalf("the hello has %d rooms", len(hello.Resume))
		}
		p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1", Limits: limits}))
		for _, r := range hello.Resume {
			p.ok(0, r.Room, client.Position{})
		}
		start := time.Now()
		joined, published, last := len(hello.Resume), 0, 0
		for joined < rooms || published < pubs {
			q := p.read()
			if !m.take(1) {
				t.Fatalf("%v %s is beyond the rate, after %v", q.Op, q.Room, time.Since(start))
			}
			if q.Op == protocol.OpJoin {
				joined++
			} else {
				if q.Data != fmt.Sprint(published) {
					t.Errorf("publication %d is %s", published, q.Data)
				}
				published++
			}
			p.ok(q.ID, q.Room, client.Position{})
			if n := joined - len(hello.Resume) - published; joined < rooms && published < pubs && max(n, -n) > 1 {
				t.Fatalf("%d joins and %d publications", joined-len(hello.Resume), published)
			}
			last++
		}
		if d, least := time.Since(start), time.Duration(float64(last-limits.Burst)/limits.Rate*float64(time.Second)); d > least*13/10 {
			t.Errorf("%d messages took %v, want little more than %v", last, d, least)
		}
		for _, pub := range all {
			if _, err := pub.Wait(t.Context()); err != nil {
				t.Error("publication:", err)
			}
		}
	})
}

// TestOwnRateBelowTheAnnounced: WithRate holds if it is less.
func TestOwnRateBelowTheAnnounced(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.welcomeWith(protocol.Limits{Rate: 1000, Burst: 3})
		start := time.Now()
		for range 10 {
			if _, err := c.PublishAsync("r", []byte("1")); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 10 {
			p.want(protocol.OpPublish)
			if d, due := time.Since(start), time.Duration(i)*100*time.Millisecond; d < due || d > due+time.Microsecond { // the hello took the other token
				t.Errorf("publication %d came after %v, want about %v", i, d, due)
			}
		}
	}, client.WithRate(10, 5))
}

// TestByteRate: a connection keeps to a limit in bytes, too.
func TestByteRate(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		limits := protocol.Limits{ByteRate: 1000, ByteBurst: 4000}
		p, _ := s.welcomeWith(limits)
		m := meter{limits: protocol.Limits{Rate: 1000, Burst: 4000}}
		m.take(100) // the hello
		data := []byte(`"` + strings.Repeat("x", 2000) + `"`)
		start := time.Now()
		for range 10 {
			if _, err := c.PublishAsync("r", data); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 10 {
			q := p.want(protocol.OpPublish)
			if !m.take(float64(len(q.Data) + 100)) {
				t.Fatalf("publication %d is beyond the rate, after %v", i, time.Since(start))
			}
		}
		if d := time.Since(start); d > 25*time.Second {
			t.Errorf("20,000 bytes took %v", d)
		}
	})
}

// TestPublicationAboveTheLimit fails alone.
func TestPublicationAboveTheLimit(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	var all []*client.Publication
	for i := range 10 {
		data := fmt.Append(nil, i)
		if i == 4 {
			data = []byte(`"` + strings.Repeat("x", 70<<10) + `"`)
		}
		pub, err := c.PublishAsync("r", data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pub)
	}
	run(t, c)
	p, _ := s.welcomeWith(protocol.Limits{Message: 64 << 10})
	for i := range 10 {
		if i != 4 {
			q := p.want(protocol.OpPublish)
			if q.Data != fmt.Sprint(i) {
				t.Errorf("publication %d is %s", i, q.Data)
			}
			p.ok(q.ID, "r", client.Position{})
		}
	}
	for i, pub := range all {
		if _, err := pub.Wait(t.Context()); i == 4 != errors.Is(err, protocol.CodeTooLarge) || i != 4 && err != nil {
			t.Errorf("publication %d: %v", i, err)
		}
	}
}

// TestPublicationAboveAnUnknownLimit: a server, or a proxy before it, closes with 1009. The largest request fails, and the
// others go out again.
func TestPublicationAboveAnUnknownLimit(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	r := run(t, c)
	p, _ := s.greet()
	publish := func(data string) *client.Publication {
		pub, err := c.PublishAsync("r", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		p.want(protocol.OpPublish)
		return pub
	}
	small, large, other := publish("1"), publish(`"`+strings.Repeat("x", 1000)+`"`), publish("2")
	p.close(protocol.CloseTooBig, "")
	p, _ = s.greet()
	for _, want := range []string{"1", "2"} {
		q := p.want(protocol.OpPublish)
		if q.Data != want {
			t.Errorf("client sent %s, want %s", q.Data, want)
		}
		p.ok(q.ID, "r", client.Position{})
	}
	var e *client.CloseError
	if _, err := large.Wait(t.Context()); !errors.Is(err, protocol.CodeTooLarge) || !errors.As(err, &e) {
		t.Error("the large publication:", err)
	}
	for _, pub := range []*client.Publication{small, other} {
		if _, err := pub.Wait(t.Context()); err != nil {
			t.Error("a small publication:", err)
		}
	}
	p.close(protocol.CloseTooBig, "") // nothing is to blame
	if err := r.end(); !errors.As(err, &e) || e.Code != protocol.CloseTooBig {
		t.Error("Run returned", err)
	}
}

// TestRefusedForTheRate: a publication that the connection's rate refuses comes again after the time that it was told, in
// place of an error; what is refused in a room's name is the application's.
func TestRefusedForTheRate(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.welcomeWith(protocol.Limits{Rate: 10, Burst: 10})
		first, err := c.PublishAsync("r", []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		q := p.want(protocol.OpPublish)
		start := time.Now()
		p.fail(q.ID, "", &protocol.Error{Code: protocol.CodeRateLimited, RetryAfter: 3 * time.Second})
		synctest.Wait()
		second, err := c.PublishAsync("r", []byte("2"))
		if err != nil {
			t.Fatal(err)
		}
		q2 := p.want(protocol.OpPublish)
		if d := time.Since(start); q2.Data != "2" || d < 100*time.Millisecond || d > 200*time.Millisecond {
			t.Errorf("publication %s came after %v, want the second at the pace of the rate", q2.Data, d)
		}
		again := p.want(protocol.OpPublish)
		if d := time.Since(start); again.ID != q.ID || again.Key != q.Key || d < 3*time.Second || d > 3100*time.Millisecond {
			t.Errorf("%+v came again after %v", again, d)
		}
		p.ok(again.ID, "r", client.Position{})
		if _, err := first.Wait(t.Context()); err != nil {
			t.Error("the first publication:", err)
		}
		p.fail(q2.ID, "r", &protocol.Error{Code: protocol.CodeRateLimited, RetryAfter: time.Hour})
		if _, err := second.Wait(t.Context()); !errors.Is(err, protocol.CodeRateLimited) {
			t.Error("the second publication:", err)
		}
		// One that waits for its time when the connection is lost waits no longer on the next.
		third, err := c.PublishAsync("r", []byte("3"))
		if err != nil {
			t.Fatal(err)
		}
		q = p.want(protocol.OpPublish)
		p.fail(q.ID, "", &protocol.Error{Code: protocol.CodeRateLimited, RetryAfter: time.Hour})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("Flush returned", err)
		}
		p.cut()
		p, _ = s.greet()
		p.ok(p.want(protocol.OpPublish).ID, "r", client.Position{})
		if _, err := third.Wait(t.Context()); err != nil {
			t.Error("the third publication:", err)
		}
	}, client.WithHeartbeat(time.Hour, time.Hour))
}

// TestResumesBeyondTheRate are rooms of a hello that the server did not count on: they are joined after the time that was
// told, and the application hears of it only if that is refused, too.
func TestResumesBeyondTheRate(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		errs, onError := collect[error](10)
		a := subscribe(t, c, "a", func(client.Message) {}, client.OnError(onError))
		subscribe(t, c, "b", func(client.Message) {}, client.OnError(onError))
		run(t, c)
		p, hello := s.welcomeWith(protocol.Limits{Rate: 1, Burst: 10})
		if len(hello.Resume) != 2 {
			t.Fatalf("hello resumes %v", hello.Resume)
		}
		start := time.Now()
		limited := &protocol.Error{Code: protocol.CodeRateLimited, RetryAfter: 5 * time.Second}
		p.fail(0, "a", limited)
		p.fail(0, "b", limited)
		for range 2 {
			j := p.want(protocol.OpJoin)
			if d := time.Since(start); d < 5*time.Second || d > 12*time.Second {
				t.Errorf("%s is joined after %v", j.Room, d)
			}
			if j.Room == "a" {
				p.ok(j.ID, "a", client.Position{})
			} else {
				p.fail(j.ID, "b", limited)
			}
		}
		ready(t, a)
		if err := <-errs; !errors.Is(err, protocol.CodeRateLimited) || len(errs) != 0 {
			t.Errorf("OnError got %v, and %d more", err, len(errs))
		}
	})
}

// TestTooManyRooms: a room beyond the limit is told once, not asked for, and joined when another was left.
func TestTooManyRooms(t *testing.T) {
	for _, announced := range []bool{true, false} {
		t.Run(fmt.Sprint("announced ", announced), func(t *testing.T) {
			s := newServer(t)
			c := newClient(t, s.url)
			errs, onError := collect[error](10)
			var subs []*client.Subscription
			for i := range 4 {
				subs = append(subs, subscribe(t, c, fmt.Sprint("r", i), func(client.Message) {}, client.OnError(onError)))
			}
			run(t, c)
			refused := &protocol.Error{Code: protocol.CodeTooManyRooms}
			p, hello := s.greet()
			if announced {
				p.cut()
				p, hello = s.welcomeWith(protocol.Limits{Rooms: 2})
				p.cut()
				p, hello = s.welcomeWith(protocol.Limits{Rooms: 2})
				if !slices.Equal(hello.Resume, []room{{Room: "r0"}, {Room: "r1"}}) {
					t.Fatalf("hello resumes %v", hello.Resume)
				}
			}
			for i, r := range hello.Resume {
				if i < 2 {
					p.ok(0, r.Room, client.Position{})
				} else {
					p.fail(0, r.Room, refused)
				}
			}
			for _, want := range []string{"r2", "r3"} {
				var e *client.RoomError
				if err := receive(t, errs); !errors.As(err, &e) || e.Room != want || !errors.Is(err, protocol.CodeTooManyRooms) {
					t.Errorf("OnError got %v, want %s", err, want)
				}
			}
			for i, want := range []string{"r2", "r3"} {
				if err := subs[i].Close(); err != nil {
					t.Fatal(err)
				}
				p.ok(p.want(protocol.OpLeave).ID, "", client.Position{})
				j := p.want(protocol.OpJoin)
				if j.Room != want {
					t.Errorf("client joins %s, want %s", j.Room, want)
				}
				p.ok(j.ID, j.Room, client.Position{})
			}
			pub, err := c.PublishAsync("r3", []byte("1")) // nothing else was asked for
			if err != nil {
				t.Fatal(err)
			}
			p.ok(p.want(protocol.OpPublish).ID, "r3", client.Position{})
			if _, err := pub.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOwnMessagesAfterTheJoin: a publication does not overtake the join of its room.
func TestOwnMessagesAfterTheJoin(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.welcomeWith(protocol.Limits{Rate: 1, Burst: 1})
		first, err := c.PublishAsync("x", []byte("0")) // takes the only token
		if err != nil {
			t.Fatal(err)
		}
		p.ok(p.want(protocol.OpPublish).ID, "x", client.Position{})
		if _, err := first.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			subscribe(t, c, fmt.Sprint("r", i), func(client.Message) {})
		}
		for _, room := range []string{"r3", "other"} {
			if _, err := c.PublishAsync(room, []byte("1")); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for range 6 {
			q := p.read()
			got = append(got, q.Op.String()+" "+q.Room)
			p.ok(q.ID, q.Room, client.Position{})
		}
		want := []string{"join r0", "join r3", "join r1", "publish r3", "join r2", "publish other"}
		if !slices.Equal(got, want) {
			t.Errorf("client sent %v, want %v", got, want)
		}
	}, client.WithHeartbeat(time.Hour, time.Hour))
}

// TestLoopIsSlowedDown: connections that end one after the other for one reason, with a hint that would bring the client
// back at once each time.
func TestLoopIsSlowedDown(t *testing.T) {
	var states chan client.State
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		states = make(chan client.State, 1000)
		subscribe(t, c, "r", func(client.Message) {})
		run(t, c)
		hint := string(protocol.AppendHint(nil, protocol.Hint{RetryAfter: time.Millisecond}))
		end := func(code protocol.CloseCode, progress bool) client.State {
			p, hello := s.greet()
			p.ok(0, hello.Resume[0].Room, client.Position{})
			if progress {
				p.message("r", "1", client.Position{})
			}
			synctest.Wait()
			p.close(code, hint)
			return awaitLong(states, client.Disconnected)
		}
		var waited time.Duration
		for n := range 16 {
			st := end(protocol.CloseRateLimited, false)
			var loop *client.LoopError
			// The first connection got into the room for the first time.
			if n < 5 {
				if errors.As(st.Err, &loop) || st.Wait > time.Millisecond {
					t.Fatalf("connection %d: %+v", n, st)
				}
				continue
			}
			var e *client.CloseError
			most := min(5*time.Second<<(n-5), 5*time.Minute)
			if !errors.As(st.Err, &loop) || loop.Times != n || !errors.As(st.Err, &e) || st.Wait < most/2 || st.Wait > most {
				t.Fatalf("connection %d: %+v, want a wait of up to %v", n, st, most)
			}
			waited += st.Wait
		}
		if waited < 10*time.Minute {
			t.Errorf("16 connections within %v", waited)
		}
		var loop *client.LoopError
		if st := end(protocol.CloseMaxAge, false); errors.As(st.Err, &loop) {
			t.Errorf("another reason: %v", st.Err)
		}
		for range 3 {
			end(protocol.CloseRateLimited, false)
		}
		end(protocol.CloseRateLimited, true)
		if st := end(protocol.CloseRateLimited, false); errors.As(st.Err, &loop) || st.Wait > time.Millisecond {
			t.Errorf("after progress: %+v", st)
		}
	}, client.OnState(func(st client.State) { states <- st }))
}

// TestLongConnectionsAreNoLoop: a connection that lasts is progress, even if nothing happens on it.
func TestLongConnectionsAreNoLoop(t *testing.T) {
	var states chan client.State
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		states = make(chan client.State, 1000)
		run(t, c)
		for range 10 {
			p, _ := s.greet()
			time.Sleep(31 * time.Second)
			p.close(protocol.CloseIdle, "")
			var loop *client.LoopError
			if st := awaitLong(states, client.Disconnected); errors.As(st.Err, &loop) {
				t.Fatal(st.Err)
			}
		}
	}, client.OnState(func(st client.State) { states <- st }), client.WithHeartbeat(time.Hour, time.Hour))
}
