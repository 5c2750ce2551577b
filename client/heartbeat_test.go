package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func TestSilentServerIsDropped(t *testing.T) {
	tests := []struct {
		name string
		opts []client.Option
		want time.Duration
	}{
		{"at the interval of the welcome", nil, 35 * time.Second},
		{"at its own", []client.Option{client.WithHeartbeat(5*time.Second, 2*time.Second)}, 7 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var states chan client.State
			virtual(t, func(t *testing.T, s *server, c *client.Client) {
				states = make(chan client.State, 100) // of the bubble
				run(t, c)
				p, _ := s.greet()
				p.listen(false)
				start := time.Now()
				st := awaitLong(states, client.Disconnected)
				if got := time.Since(start); got != tt.want || !errors.Is(st.Err, client.ErrDead) {
					t.Errorf("disconnected after %v by %v, want %v", got, st.Err, tt.want)
				}
				s.greet()
			}, append(tt.opts, client.OnState(func(st client.State) { states <- st }))...)
		})
	}
}

func TestHeartbeatKeepsConnection(t *testing.T) {
	var states []client.State
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.greet()
		pings := 0
		p.ws.SetPingHandler(func(payload string) error {
			pings++
			return p.ws.WriteControl(websocket.PongMessage, []byte(payload), time.Now().Add(time.Second))
		})
		p.listen(true)
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if len(states) != 2 {
			t.Errorf("states are %+v", states)
		}
		if want := 24; pings != want {
			t.Errorf("client sent %d pings in 10 minutes, want %d", pings, want)
		}
	}, client.OnState(func(st client.State) { states = append(states, st) }))
}

func TestClientAnswersPings(t *testing.T) {
	var states []client.State
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.greet()
		pings, pongs := 0, []string(nil)
		p.ws.SetPingHandler(func(string) error { pings++; return nil })
		p.ws.SetPongHandler(func(payload string) error { pongs = append(pongs, payload); return nil })
		p.listen(true)
		for i := range 10 {
			time.Sleep(20 * time.Second)
			if err := p.ws.WriteControl(websocket.PingMessage, fmt.Append(nil, i), time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if want := strings.Fields("0 1 2 3 4 5 6 7 8 9"); !slices.Equal(pongs, want) {
			t.Errorf("pongs are %q", pongs)
		}
		if pings != 0 {
			t.Errorf("client sent %d pings to a server it heard", pings)
		}
		if len(states) != 2 {
			t.Errorf("states are %+v", states)
		}
	}, client.OnState(func(st client.State) { states = append(states, st) }))
}

func TestNetworkThatTakesNothing(t *testing.T) {
	var states chan client.State
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		states = make(chan client.State, 100)
		run(t, c)
		s.greet()
		awaitLong(states, client.Connected)
		pub, err := c.PublishAsync("r", []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		// 5 s for the write, and one to see whether the server said why.
		_ = lostAfter(t, states, start, 6*time.Second)
		p, _ := s.greet()
		p.ok(p.want(protocol.OpPublish).ID, "r", at(1))
		if pos, err := pub.Wait(t.Context()); err != nil || pos != at(1) {
			t.Errorf("publication: %v, %v", pos, err)
		}
	}, client.OnState(func(st client.State) { states <- st }))
}

func TestHandshakeTimeout(t *testing.T) {
	var states chan client.State
	onState := client.OnState(func(st client.State) { states <- st })
	tests := []struct {
		name string
		opts []client.Option
		upTo func(s *server)
	}{
		{"no welcome", nil, func(s *server) { s.accept().want(protocol.OpHello) }},
		{"no HTTP answer", nil, func(s *server) {
			s.answer(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
		}},
		{"no token", []client.Option{client.WithToken(func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})}, func(*server) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *server, c *client.Client) {
				states = make(chan client.State, 100)
				start := time.Now()
				if tt.name != "no welcome" {
					tt.upTo(s)
				}
				run(t, c)
				if tt.name == "no welcome" {
					tt.upTo(s)
				}
				if err := lostAfter(t, states, start, client.DefaultHandshakeTimeout); err == nil {
					t.Error("disconnected without an error")
				}
			}, append(tt.opts, onState)...)
		})
	}
}

func TestCloseIsNotHeldUp(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		callback := make(chan struct{})
		subscribe(t, c, "r", func(client.Message) {
			close(callback)
			time.Sleep(3 * time.Second)
		})
		run(t, c)
		p, _ := s.greet()
		synctest.Wait()
		p.ok(0, "r", client.Position{})
		p.message("r", "1", client.Position{})
		<-callback
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("Close took %v, want the 3s of the callback", d)
		}
	})
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		s.greet()
		if _, err := c.PublishAsync("r", []byte("1")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("Close took %v, want 1s", d)
		}
	})
}
