package hub_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// getsIn connects a user again for as long as it is refused, and returns the connection that is not.
func (s *server) getsIn(t *testing.T, user string) (in *client, refused int) {
	t.Helper()
	await(t, user+" gets in", func() bool {
		c := s.connect(t, http.Header{"X-User": {user}})
		first, err := c.tryNext()
		if err == nil && strings.Contains(string(first), `"welcome"`) {
			in = c
			return true
		}
		refused++
		return false
	})
	return in, refused
}

// TestNotRefusedByItself: a user who may have one connection gets in again though the one before has not ended in every respect.
func TestNotRefusedByItself(t *testing.T) {
	one := func(option func(int, hub.OnExcess) hub.Option) []hub.Option {
		return []hub.Option{
			hub.WithAuthenticator(asUser), option(1, hub.RefuseNew),
			hub.WithHeartbeat(heartbeat.Policy{Interval: 5 * time.Minute, Timeout: 500 * time.Millisecond}),
		}
	}
	for name, option := range perUser {
		t.Run(name+"/closed by the hub", func(t *testing.T) {
			t.Parallel()
			s := start(t, one(option)...)
			conns := s.watchConns()
			s.dialAs(t, "ada") // and answers no close frame
			_ = receive(t, "OnConnect", conns).Close(4321, "")
			if in, refused := s.getsIn(t, "ada"); refused > 0 {
				t.Errorf("refused %d times", refused)
			} else {
				in.alive()
			}
		})
		t.Run(name+"/closed by the client, whose handler still runs", func(t *testing.T) {
			t.Parallel()
			s := start(t, one(option)...)
			called, stop := make(chan struct{}), make(chan struct{})
			defer close(stop)
			s.Handle("slow", func(context.Context, *hub.Conn, []byte) (any, error) {
				close(called)
				<-stop
				return nil, nil
			})
			c := s.dialAs(t, "ada")
			c.write(`{"op":"call","id":1,"method":"slow"}`)
			receive(t, "the handler", called)
			_ = c.ws.Close()
			in, _ := s.getsIn(t, "ada")
			in.alive()
		})
		t.Run(name+"/gone without a word", func(t *testing.T) {
			t.Parallel()
			s := start(t, one(option)...)
			silent := s.dialAs(t, "ada") // reads nothing, and so answers no ping
			in, refused := s.getsIn(t, "ada")
			if refused == 0 {
				t.Error("never refused, while another connection was there")
			}
			in.alive()
			silent.closed(protocol.CloseHeartbeatTimeout)
		})
	}
}
