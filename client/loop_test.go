package client_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

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
