package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

func (s *server) remove(t testing.TB, user, room, reason string) {
	t.Helper()
	if err := s.RemoveFromRoom(t.Context(), hub.ByUser(user), room, reason); err != nil {
		t.Errorf("RemoveFromRoom: %v", err)
	}
}

func (s *server) joinUser(t testing.TB, user, room string, opts ...hub.JoinOption) {
	t.Helper()
	if err := s.JoinUser(t.Context(), user, room, opts...); err != nil {
		t.Errorf("JoinUser: %v", err)
	}
}

// TestUserRooms: all of a user's connections are put into a room and taken out of it, and nobody else's.
func TestUserRooms(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		for _, room := range []string{"plain", "past", "here"} {
			t.Run(room, func(t *testing.T) {
				s := tr.start(t, hub.WithAuthenticator(asUser), hub.WithOpenRooms("*"),
					hub.WithRooms("past", hub.DefaultHistory()), hub.WithRooms("here", hub.Presence(hub.PresenceRate(1, 1))))
				adas := []*client{s.dialAs(t, "ada"), s.dialAs(t, "ada")}
				bob, nobody := s.dialAs(t, "bob"), s.dial(t)
				named := func(c *client, op string) {
					t.Helper()
					for {
						r := c.read()
						if r.Op == "join" || r.Op == "leave" || r.Op == "presence" {
							continue
						}
						if r.Op != op || r.Room != room {
							t.Fatalf("got %+v, want %s", r, op)
						}
						if op == "left" && (r.Code != "removed" || r.Message != "enough") {
							t.Errorf("left: %+v", r)
						}
						return
					}
				}
				s.joinUser(t, "", room)
				s.joinUser(t, "carol", room)
				for range 3 {
					s.joinUser(t, "ada", room)
					for _, c := range adas {
						named(c, "joined")
					}
				}
				bob.write(`{"op":"join","room":"` + room + `"}`)
				named(bob, "ok")
				s.publish(t, room, 1)
				for _, c := range append(adas, bob) {
					named(c, "message")
				}
				s.remove(t, "", room, "enough")
				s.remove(t, "carol", room, "enough")
				for range 2 { // the second time they are not in it
					s.remove(t, "ada", room, "enough")
				}
				s.publish(t, room, 2)
				named(bob, "message")
				for _, c := range adas {
					named(c, "left")
					c.alive()
					c.write(`{"op":"join","room":"` + room + `"}`) // a new decision
					named(c, "ok")
				}
				nobody.alive()
			})
		}
	})
}

// TestRemoveWhileDeciding: whoever has decided before the right was withdrawn puts nobody into the room after it.
func TestRemoveWhileDeciding(t *testing.T) {
	const removed = `{"op":"error","id":1,"room":"secret","code":"removed","message":"banned"}`
	for _, tt := range []struct {
		name string
		by   string // the callback that decides
		act  func(c *client)
		want string
	}{
		{"OnJoin", "OnJoin", func(c *client) { c.write(`{"op":"join","id":1,"room":"secret"}`) }, removed},
		{"a handler", "handler", func(c *client) { c.write(`{"op":"call","id":1,"method":"enter"}`) }, `{"op":"ok","id":1}`},
		{"a heavy handler", "handler", func(c *client) { c.write(`{"op":"call","id":1,"method":"heavy"}`) }, `{"op":"ok","id":1}`},
		{"OnMessage", "OnMessage", func(c *client) { c.write(`{"op":"send","id":1,"data":1}`) }, `{"op":"ok","id":1}`},
		{"OnConnect", "OnConnect", func(*client) {}, ""},
		{"the authenticator", "authenticator", func(*client) {}, ""},
		{"the verifier", "verifier", func(*client) {}, ""},
	} {
		overEach(t, func(t *testing.T, tr transport) {
			t.Run(tt.name, func(t *testing.T) {
				asked, answer := make(chan struct{}), make(chan struct{})
				decide := func(by string) {
					if by == tt.by {
						asked <- struct{}{}
						<-answer
					}
				}
				joins := make(chan error, 1)
				enter := func(ctx context.Context, c *hub.Conn) {
					joins <- c.Join(ctx, "secret")
				}
				opts := []hub.Option{hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
					decide("authenticator")
					return asUser(r)
				})}
				if tt.by == "verifier" {
					opts = append(opts, hub.WithTokenVerifier(func(context.Context, string) (hub.Identity, error) {
						decide("verifier")
						return hub.Identity{User: "ada"}, nil
					}))
				}
				s := tr.start(t, opts...)
				s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
					decide("OnConnect")
					switch tt.by {
					case "OnConnect", "authenticator", "verifier":
						enter(ctx, c)
					}
					return nil
				})
				s.OnJoin(func(context.Context, *hub.Conn, string) error {
					decide("OnJoin")
					return nil
				})
				s.OnMessage(func(ctx context.Context, c *hub.Conn, _ hub.Message) {
					decide("OnMessage")
					enter(ctx, c)
				})
				call := func(ctx context.Context, c *hub.Conn, _ []byte) (any, error) {
					decide("handler")
					enter(ctx, c)
					return nil, nil
				}
				s.Handle("enter", call)
				s.Handle("heavy", call, hub.Heavy())

				clients := make(chan *client, 1)
				go func() {
					c := s.connect(t, http.Header{"X-User": {"ada"}}, protocol.Subprotocol)
					c.write(`{"op":"hello"}`)
					clients <- c
				}()
				var c *client
				if tt.want != "" {
					c = receive(t, "the client", clients)
					c.welcomed()
					tt.act(c)
				}
				receive(t, "the question", asked)
				s.remove(t, "ada", "elsewhere", "not this one")
				s.remove(t, "ada", "secret", "banned")
				close(answer)
				if tt.want == "" {
					c = receive(t, "the client", clients)
					c.welcomed()
				}
				if tt.by != "OnJoin" {
					if err := receive(t, "Join", joins); !errors.Is(err, hub.ErrRemoved) {
						t.Errorf("Join: %v, want ErrRemoved", err)
					}
				}
				if tt.want != "" {
					c.expect(tt.want)
				}
				s.publish(t, "secret", 1)
				c.alive()
				// A new decision counts, whoever makes it.
				asked = make(chan struct{}, 10)
				switch tt.want {
				case removed, "":
					c.write(`{"op":"join","id":2,"room":"secret"}`)
					c.expect(`{"op":"ok","id":2,"room":"secret"}`)
				default:
					tt.act(c)
					if err := receive(t, "Join", joins); err != nil {
						t.Errorf("Join: %v", err)
					}
					c.expect(`{"op":"joined","room":"secret"}`, tt.want)
				}
			})
		})
	}
}

// TestRemoveAndJoin: a JoinUser overrules a removal of before, and the other way round.
func TestRemoveAndJoin(t *testing.T) {
	s := start(t, hub.WithAuthenticator(asUser))
	asked, answer := make(chan struct{}), make(chan struct{})
	s.OnJoin(func(context.Context, *hub.Conn, string) error {
		asked <- struct{}{}
		<-answer
		return nil
	})
	c := s.dialAs(t, "ada")
	c.write(`{"op":"join","id":1,"room":"a"}`)
	receive(t, "the question", asked)
	s.remove(t, "ada", "a", "")
	s.joinUser(t, "ada", "a")
	c.expect(`{"op":"joined","room":"a"}`)
	close(answer)
	c.expect(`{"op":"ok","id":1,"room":"a"}`)
	s.remove(t, "ada", "a", "")
	c.expect(`{"op":"left","room":"a","code":"removed"}`)
}

// TestJoinedAgain: a client that comes back names the rooms that the application had put it into, and is told of each whether it is
// in it again.
func TestJoinedAgain(t *testing.T) {
	s, epoch := historyServer(t, poller, 5)
	s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		return errors.Join(c.Join(ctx, "plain"), c.Join(ctx, "past:a"))
	})
	c := s.dialV1(t, `{"op":"hello","resume":[{"room":"plain","joined":true},{"room":"gone","joined":true},`+
		`{"room":"past:a","epoch":"`+epoch+`","offset":3,"joined":true},{"room":"past:b","epoch":"e","offset":3,"joined":true}]}`)
	c.expect(`{"op":"joined","room":"plain"}`, `{"op":"joined","room":"past:a","epoch":"`+epoch+`","offset":3}`)
	c.expect(historyFrames(epoch, 4, 5)...)
	for _, room := range []string{"gone", "past:b"} {
		c.expect(`{"op":"left","room":"` + room + `","code":"removed","message":"the application has not joined the room again"}`)
	}
	c.alive()
}

// secondFails is a broker whose histories cannot be read on once they have begun.
type secondFails struct {
	*memory.Broker
	reads atomic.Int64
	read  func()
}

func (b *secondFails) Read(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	if b.reads.Add(1) == 2 {
		return broker.Page{}, broker.ErrUnavailable
	}
	if b.read != nil {
		b.read()
	}
	return b.Broker.Read(ctx, room, q)
}

func newSecondFails(t *testing.T) *secondFails {
	t.Helper()
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	return &secondFails{Broker: b}
}

// TestJoinFailsAfterTheAnswer: a client that was told that it is in a room is told that it is not, and when to come back.
func TestJoinFailsAfterTheAnswer(t *testing.T) {
	const n = 200 // more than a page
	b := newSecondFails(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithRooms("*", hub.DefaultHistory()))
	for i := range n {
		s.publish(t, "a", i)
	}
	c := s.dialAs(t, "ada")
	left := func(first string) {
		t.Helper()
		if r := c.read(); r.Op != first {
			t.Fatalf("got %+v, want %s", r, first)
		}
		r := c.read()
		for r.Op == "message" {
			r = c.read()
		}
		if r.Op != "left" || r.Room != "a" || r.Code != "unavailable" || r.RetryAfter < 1000 {
			t.Errorf("got %+v, want left", r)
		}
		c.alive()
	}
	b.reads.Store(0)
	c.write(`{"op":"join","id":1,"room":"a","history":200}`)
	left("ok")
	b.reads.Store(0)
	if err := s.JoinUser(t.Context(), "ada", "a", hub.Newest(n)); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("JoinUser: %v", err)
	}
	left("joined")
	s.joinUser(t, "ada", "a")
	if r := c.read(); r.Op != "joined" {
		t.Errorf("got %+v, want joined", r)
	}
	b.reads.Store(1)
	if err := s.JoinUser(t.Context(), "ada", "a"); !errors.Is(err, broker.ErrUnavailable) { // again, and is not told again
		t.Errorf("JoinUser: %v", err)
	}
	if r := c.read(); r.Op != "left" || r.Code != "unavailable" {
		t.Errorf("got %+v, want left", r)
	}
}

// TestJoinAgainFails: a client that joins a room again which it is in is told that it has left if that fails and takes it out, and
// hears only the error if it stays.
func TestJoinAgainFails(t *testing.T) {
	b := newSecondFails(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("past", hub.DefaultHistory()))
	c := s.dial(t)
	for _, room := range []string{"past", "plain"} {
		if r := c.ask(fmt.Sprintf(`{"op":"join","id":1,"room":%q}`, room)); r.Op != "ok" {
			t.Fatalf("got %+v, want ok", r)
		}
	}
	b.reads.Store(1)
	if r := c.ask(`{"op":"join","id":2,"room":"past"}`); r.Op != "left" || r.Room != "past" || r.Code != "unavailable" || r.RetryAfter < 1000 {
		t.Errorf("got %+v, want left", r)
	}
	if r := c.read(); r.Op != "error" || r.ID != 2 || r.Code != "unavailable" {
		t.Errorf("got %+v, want the answer", r)
	}
	if r := c.ask(`{"op":"join","id":3,"room":"plain","history":1}`); r.Op != "error" || r.Code != "no_history" {
		t.Errorf("got %+v, want no_history", r)
	}
	s.publish(t, "past", 1)
	s.publish(t, "plain", 2)
	c.expect(`{"op":"message","room":"plain","data":2}`)
	if r := c.ask(`{"op":"join","id":4,"room":"past"}`); r.Op != "ok" {
		t.Errorf("got %+v, want ok", r)
	}
}

// TestRemoveWhileReadingHistory: what a client asked for while it was in the room is not sent after it was taken out.
func TestRemoveWhileReadingHistory(t *testing.T) {
	b := newSecondFails(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithRooms("*", hub.DefaultHistory()))
	c := s.dialAs(t, "ada")
	s.joinUser(t, "ada", "a")
	if r := c.read(); r.Op != "joined" {
		t.Fatalf("got %+v, want joined", r)
	}
	b.reads.Store(2)
	b.read = func() {
		s.remove(t, "ada", "a", "enough")
		s.publish(t, "a", 1)
		b.read = nil
	}
	c.write(`{"op":"history","id":1,"room":"a","limit":10}`)
	c.expect(`{"op":"left","room":"a","code":"removed","message":"enough"}`,
		`{"op":"error","id":1,"room":"a","code":"removed","message":"enough"}`)
	c.alive()
}
