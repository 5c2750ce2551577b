package hub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	hubclient "github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// renewals is a hub that decides about tokens named "identity n" and "room n", which are valid for an hour, as are grants. It
// counts those that it accepts.
type renewals struct {
	timed
	identities, rooms atomic.Int64
	refuse            atomic.Pointer[string] // tokens of which name
}

func (s *renewals) refuses(name string) { s.refuse.Store(&name) }

func startRenewals(t *testing.T) (s *renewals, stop func()) {
	t.Helper()
	s = &renewals{}
	s.refuses("")
	end := func() time.Time { return time.Now().Add(time.Hour) }
	s.timed, stop = startTimed(t, hub.WithRooms("past:*", hub.DefaultHistory()), hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
		name, _, _ := strings.Cut(token, " ")
		switch name {
		case *s.refuse.Load():
			return hub.Identity{}, hub.ErrUnauthorized
		case "room":
			s.rooms.Add(1)
		default:
			s.identities.Add(1)
		}
		return hub.Identity{User: "ada", ExpiresAt: end()}, nil
	}))
	s.OnJoinGrant(func(context.Context, *hub.Conn, string) (hub.Grant, error) { return hub.Grant{ExpiresAt: end()}, nil })
	return s, stop
}

// renewing is a Go client with a token function, in the room past:a.
type renewing struct {
	*hubclient.Client
	states chan hubclient.State
	got    chan string
	lost   chan error
}

func (s *renewals) connect(t *testing.T) (r *renewing, stop func()) {
	t.Helper()
	r = &renewing{states: make(chan hubclient.State, 100), got: make(chan string, 100), lost: make(chan error, 10)}
	tokens := func(name string) func(context.Context) (string, error) {
		var n atomic.Int64
		return func(context.Context) (string, error) { return fmt.Sprintf("%s %d", name, n.Add(1)), nil }
	}
	c, err := hubclient.New("ws://memory/", hubclient.WithDialer(s.net.dial), hubclient.WithToken(tokens("identity")), hubclient.WithLogger(slog.New(slog.DiscardHandler)),
		hubclient.OnState(func(st hubclient.State) { r.states <- st }))
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Run(context.Background()) }()
	sub, err := c.Subscribe("past:a", func(m hubclient.Message) { r.got <- string(m.Data) },
		hubclient.RoomToken(tokens("room")), hubclient.OnError(func(err error) { r.lost <- err }),
		hubclient.OnGap(func(g hubclient.Gap) { t.Errorf("a gap: %+v", g) }))
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	}
}

// await returns the next state of a kind.
func (r *renewing) await(want hubclient.Status) hubclient.State {
	for {
		if st := <-r.states; st.Status == want {
			return st
		}
	}
}

// inBubble runs a test with a hub and a client on the clock of a bubble.
func inBubble(t *testing.T, f func(t *testing.T, s *renewals, c *renewing)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, stop := startRenewals(t)
		defer stop()
		c, leave := s.connect(t)
		defer leave()
		f(t, s, c)
	})
}

// TestClientRenews: a client that has a token function outlives its tokens on one connection, in its room, without a gap.
func TestClientRenews(t *testing.T) {
	inBubble(t, func(t *testing.T, s *renewals, c *renewing) {
		for i := range 60 {
			if _, err := s.Publish(t.Context(), "past:a", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			if got := <-c.got; got != fmt.Sprint(i) {
				t.Fatalf("got message %s, want %d", got, i)
			}
			time.Sleep(10 * time.Minute)
		}
		if n := s.Stats().Accepted; n != 1 {
			t.Errorf("the client connected %d times", n)
		}
		if len(c.lost) != 0 {
			t.Errorf("the room was lost: %v", <-c.lost)
		}
		// Within ten hours, each time after 36 to 48 minutes.
		for name, n := range map[string]int64{"identity": s.identities.Load() - 1, "room": s.rooms.Load()} {
			if n < 12 || n > 16 {
				t.Errorf("%d tokens of the %s were taken", n, name)
			}
		}
	})
}

// TestClientIsRefusedRenewal: without a new token the connection ends with 4009, and the client comes back with another
// token, in its room and without a gap.
func TestClientIsRefusedRenewal(t *testing.T) {
	inBubble(t, func(t *testing.T, s *renewals, c *renewing) {
		first, begun := c.await(hubclient.Connected), time.Now()
		s.refuses("identity")
		st := c.await(hubclient.Disconnected)
		if ce, ok := errors.AsType[*hubclient.CloseError](st.Err); !ok || ce.Code != protocol.CloseTokenExpired {
			t.Errorf("disconnected by %v, want 4009", st.Err)
		}
		if d := time.Since(begun); d < time.Hour || d > time.Hour+2*time.Second {
			t.Errorf("disconnected after %v", d)
		}
		s.refuses("")
		if _, err := s.Publish(t.Context(), "past:a", []byte(`"meanwhile"`)); err != nil {
			t.Fatal(err)
		}
		if second := c.await(hubclient.Connected); second.Conn == first.Conn {
			t.Error("it came back as the same connection")
		}
		if got := <-c.got; got != `"meanwhile"` {
			t.Errorf("got %s", got)
		}
	})
}

// TestClientLosesRoom: without a new token for the room its subscription ends, the connection does not, and the client may
// subscribe again.
func TestClientLosesRoom(t *testing.T) {
	inBubble(t, func(t *testing.T, s *renewals, c *renewing) {
		begun := time.Now()
		s.refuses("room")
		err := <-c.lost
		if le, ok := errors.AsType[*hubclient.LeftError](err); !ok || le.Room != "past:a" || !errors.Is(err, protocol.CodeExpired) {
			t.Errorf("the subscription ended with %v", err)
		}
		if d := time.Since(begun); d < time.Hour || d > time.Hour+2*time.Second {
			t.Errorf("the subscription ended after %v", d)
		}
		again, err := c.Subscribe("past:a", func(hubclient.Message) {})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Ready(t.Context()); err != nil {
			t.Errorf("subscribing again: %v", err)
		}
		if n := s.Stats().Accepted; n != 1 {
			t.Errorf("the client connected %d times", n)
		}
	})
}
