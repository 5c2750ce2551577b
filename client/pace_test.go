package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

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

// TestPacedBehindAStall: the server, or the network before it, stalls again and again, and then everything is read at once. Nothing is
// beyond the rate then, so that the publications keep their order.
func TestPacedBehindAStall(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits protocol.Limits
		meter  protocol.Limits
		cost   func(request) float64
	}{
		{"messages", protocol.Limits{Rate: 20, Burst: 40}, protocol.Limits{Rate: 20, Burst: 40}, func(request) float64 { return 1 }},
		{"bytes", protocol.Limits{ByteRate: 2000, ByteBurst: 4000}, protocol.Limits{Rate: 2000, Burst: 4000},
			func(q request) float64 { return float64(len(q.Data) + 50) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *server, c *client.Client) {
				run(t, c)
				p, _ := s.welcomeWith(tt.limits)
				m := meter{limits: tt.meter}
				m.take(100) // the hello
				frames, _ := p.listen(true)
				const pubs = 300
				data := strings.Repeat(" ", 50)
				for i := range pubs {
					if _, err := c.PublishAsync("r", fmt.Append(nil, i, data)); err != nil {
						t.Fatal(err)
					}
				}
				for n := 0; n < pubs; {
					time.Sleep(10 * time.Second)
					for synctest.Wait(); len(frames) > 0; n++ {
						q := <-frames
						if !m.take(tt.cost(q)) {
							t.Fatalf("publication %d is beyond the rate", n)
						}
						if got := strings.TrimSpace(q.Data); got != strconv.Itoa(n) {
							t.Fatalf("publication %d is %s", n, got)
						}
						p.ok(q.ID, "r", client.Position{})
					}
				}
			}, client.WithHeartbeat(time.Hour, time.Hour))
		})
	}
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
			p.ok(p.want(protocol.OpPublish).ID, "r", client.Position{})
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
			p.ok(q.ID, "r", client.Position{})
		}
		if d := time.Since(start); d > 25*time.Second {
			t.Errorf("20,000 bytes took %v", d)
		}
	})
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
		if d := time.Since(start); again.ID != q.ID || again.IdempotencyKey != q.IdempotencyKey || d < 3*time.Second || d > 3100*time.Millisecond {
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

// TestLeaveRefusedForTheRate is no leave: it is sent again.
func TestLeaveRefusedForTheRate(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		sub := subscribe(t, c, "r", func(client.Message) {})
		run(t, c)
		p, _ := s.welcomeWith(protocol.Limits{Rate: 10, Burst: 10})
		p.ok(0, "r", client.Position{})
		ready(t, sub)
		left := make(chan error, 1)
		go func() { left <- sub.Unsubscribe(t.Context()) }()
		limited := &protocol.Error{Code: protocol.CodeRateLimited, RetryAfter: time.Second}
		p.fail(p.want(protocol.OpLeave).ID, "", limited)
		synctest.Wait()
		if len(left) != 0 {
			t.Error("Unsubscribe returned", <-left)
		}
		p.ok(p.want(protocol.OpLeave).ID, "r", client.Position{})
		if err := <-left; err != nil {
			t.Error("Unsubscribe returned", err)
		}

		asked := make(chan error, 1)
		go func() {
			_, err := c.Presence(t.Context(), "here")
			asked <- err
		}()
		p.fail(p.want(protocol.OpPresence).ID, "", limited)
		q := p.want(protocol.OpPresence)
		p.send(protocol.AppendOK(nil, protocol.OK{ID: q.ID, Room: "here", Data: protocol.AppendPresence(nil, protocol.Presence{})}))
		if err := <-asked; err != nil {
			t.Error("Presence returned", err)
		}

		// A call may have been refused by its handler, which is to be told.
		go func() {
			_, err := c.Call(t.Context(), "m", nil)
			asked <- err
		}()
		p.fail(p.want(protocol.OpCall).ID, "", limited)
		if err := <-asked; !errors.Is(err, protocol.CodeRateLimited) {
			t.Error("Call returned", err)
		}
	}, client.WithHeartbeat(time.Hour, time.Hour))
}
