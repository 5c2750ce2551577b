package hub_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// ended fails unless a client was told to come back with a code, and returns when that was.
func ended(t *testing.T, e end, code protocol.CloseCode, since time.Time) time.Duration {
	t.Helper()
	var ce *websocket.CloseError
	if !errors.As(e.err, &ce) || ce.Code != int(code) {
		t.Fatalf("ended after %v with %v, want %v", e.at.Sub(since), e.err, code)
	}
	if h, ok := protocol.ParseHint(ce.Text); !ok || h.Spread <= 0 {
		t.Errorf("the hint is %q, want one that spreads", ce.Text)
	}
	return e.at.Sub(since)
}

// TestMaxAge: connections that came together end at different times, before the age, and not a second has
// more than its share.
func TestMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conns, age, pace = 300, time.Hour, 5
		s, stop := startTimed(t, hub.WithMaxAge(age), hub.WithMaxAgePace(pace),
			hub.WithHeartbeat(heartbeat.Disabled())) // an hour of them takes its time
		defer stop()
		begun := time.Now()
		ends := make(chan end, conns)
		for range conns {
			s.connect(t, ends)
		}
		seconds, minutes := make(map[time.Duration]int), make(map[time.Duration]int)
		for range conns {
			at := ended(t, <-ends, protocol.CloseMaxAge, begun)
			if at < age*3/4 || at > age+time.Minute {
				t.Errorf("ended after %v", at)
			}
			seconds[at/time.Second]++
			minutes[at/time.Minute]++
		}
		for at, n := range seconds {
			if n > pace+1 {
				t.Errorf("%d ended in second %d, more than %d", n, at, pace+1)
			}
		}
		for at, n := range minutes { // twenty each, if they were even
			if n > 60 {
				t.Errorf("%d of %d ended in minute %d", n, conns, at)
			}
		}
		synctest.Wait() // the hub counts an end when it has seen the client's answer
		if n := s.Stats().Closed[protocol.CloseMaxAge]; n != conns {
			t.Errorf("%d are counted, want %d", n, conns)
		}
	})
}

// TestMaxAgePace: where all are due at once, they go at the pace.
func TestMaxAgePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conns, idle, pace = 200, 10 * time.Second, 20
		s, stop := startTimed(t, hub.WithMaxIdle(idle), hub.WithMaxAgePace(pace))
		defer stop()
		begun := time.Now()
		ends := make(chan end, conns)
		for range conns {
			s.connect(t, ends)
		}
		seconds := make(map[time.Duration]int)
		last := time.Duration(0)
		for range conns {
			last = ended(t, <-ends, protocol.CloseIdle, begun)
			seconds[last/time.Second]++
		}
		for at, n := range seconds {
			if n > pace+pace/10 {
				t.Errorf("%d ended in second %d, more than %d", n, at, pace)
			}
		}
		if least := idle + conns/pace*time.Second; last < least-2*time.Second || last > least+2*time.Second {
			t.Errorf("the last ended after %v, want about %v", last, least)
		}
	})
}

// TestMaxIdle: who says nothing is closed, pings and pongs or not; who speaks, or waits for an answer of the
// worker pool, is not.
func TestMaxIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = time.Minute
		s, stop := startTimed(t, hub.WithMaxIdle(idle))
		defer stop()
		release := make(chan struct{})
		err := s.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) {
			<-release
			return nil, nil
		}, hub.Heavy())
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		silent, busy, working := make(chan end, 1), make(chan end, 1), make(chan end, 1)
		write := func(ws *websocket.Conn, frame string) {
			t.Helper()
			if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
				t.Error(err)
			}
		}
		pinging := s.connect(t, silent)
		speaking := s.connect(t, busy)
		write(s.connect(t, working), `{"op":"call","id":1,"method":"heavy"}`)
		for range 6 {
			time.Sleep(idle * 9 / 10)
			write(speaking, `{"op":"ping"}`)
			_ = pinging.WriteControl(websocket.PingMessage, nil, time.Time{}) // it may be gone
		}
		const slack = idle/16 + time.Second
		if at := ended(t, <-silent, protocol.CloseIdle, begun); at < idle || at > idle+slack {
			t.Errorf("the silent one was closed after %v", at)
		}
		synctest.Wait()
		if len(busy)+len(working) > 0 || s.Stats().Conns != 2 {
			t.Errorf("%d connections are left, want 2", s.Stats().Conns)
		}
		released := time.Now()
		close(release)
		if at := ended(t, <-working, protocol.CloseIdle, released); at > slack {
			t.Errorf("closed %v after the answer", at)
		}
		if at := ended(t, <-busy, protocol.CloseIdle, released); at < idle || at > idle+slack {
			t.Errorf("closed %v after its last message", at)
		}
	})
}

// TestMaxAgeOnSockets is the same on real sockets, in little time.
func TestMaxAgeOnSockets(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		s := tr.start(t, hub.WithMaxAge(time.Second))
		for range 3 {
			if h := s.dial(t).hinted(protocol.CloseMaxAge); h.Spread <= 0 {
				t.Errorf("hint %+v", h)
			}
		}
		s = tr.start(t, hub.WithMaxIdle(time.Second))
		s.dial(t).hinted(protocol.CloseIdle)
	})
}
