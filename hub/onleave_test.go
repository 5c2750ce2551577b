package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// left is one call of OnLeave.
type left struct {
	c    *hub.Conn
	room string
}

// watchLeaves hears of each end of a stay, and checks that the connection is out of the room by then.
func (s *server) watchLeaves(t *testing.T) <-chan left {
	leaves := make(chan left, 1000)
	s.OnLeave(func(ctx context.Context, c *hub.Conn, room string) {
		if of, ok := hub.ConnFromContext(ctx); !ok || of != c {
			t.Error("the context is not the connection's")
		}
		for m := range s.Members(room) {
			if m == c {
				t.Errorf("%s is still a member of %s", c.ID(), room)
			}
		}
		leaves <- left{c, room}
	})
	return leaves
}

// TestOnLeave: each end of a stay is told once, whatever has ended it.
func TestOnLeave(t *testing.T) {
	type situation struct {
		s    *server
		cl   *client
		c    *hub.Conn
		room string
	}
	for name, tt := range map[string]struct {
		end  func(t *testing.T, x situation)
		gone bool // the connection ends
	}{
		"the client leaves": {func(_ *testing.T, x situation) { x.cl.write(`{"op":"leave","room":"` + x.room + `"}`) }, false},
		"Leave": {func(t *testing.T, x situation) {
			if err := x.c.Leave(t.Context(), x.room); err != nil {
				t.Error(err)
			}
		}, false},
		"RemoveFromRoom": {func(t *testing.T, x situation) {
			if err := x.s.RemoveFromRoom(t.Context(), hub.ByRoom(x.room), x.room, ""); err != nil {
				t.Error(err)
			}
		}, false},
		"the client vanishes": {func(_ *testing.T, x situation) { _ = x.cl.ws.Close() }, true},
		"Close":               {func(_ *testing.T, x situation) { _ = x.c.Close(4242, ""); _ = x.cl.end() }, true},
		"Shutdown":            {func(t *testing.T, x situation) { go x.cl.end(); x.s.shutdown(t) }, true}, //nolint:errcheck // it answers the close frame
		"Hub.Close":           {func(_ *testing.T, x situation) { _ = x.s.Close() }, true},
	} {
		for _, room := range []string{"a", "here", "past"} {
			t.Run(name+" "+room, func(t *testing.T) {
				s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithRooms("here", hub.Presence()), hub.WithRooms("past", hub.DefaultHistory()))
				conns, leaves, ends := s.watchConns(), s.watchLeaves(t), make(chan []string, 10)
				s.OnDisconnect(func(_ context.Context, c *hub.Conn, _ error) {
					if n := len(leaves); n != 2 {
						t.Errorf("OnLeave was called %d times before OnDisconnect, want 2", n)
					}
					ends <- c.Rooms()
				})
				cl := s.dialAs(t, "ada")
				c := receive(t, "OnConnect", conns)
				for _, r := range []string{"first", room, room} { // the second time changes nothing
					cl.ask(`{"op":"join","id":1,"room":"` + r + `"}`)
				}
				tt.end(t, situation{s, cl, c, room})
				if tt.gone {
					if rooms := receive(t, "OnDisconnect", ends); !slices.Equal(rooms, []string{"first", room}) {
						t.Errorf("was in %v", rooms)
					}
					if l := receive(t, "OnLeave", leaves); l != (left{c, "first"}) {
						t.Errorf("left %s", l.room)
					}
				}
				if l := receive(t, "OnLeave", leaves); l != (left{c, room}) {
					t.Errorf("left %s", l.room)
				}
				if !tt.gone {
					if got := c.Rooms(); !slices.Equal(got, []string{"first"}) {
						t.Errorf("in %v", got)
					}
					cl.write(`{"op":"join","id":9,"room":"` + room + `"}`) // another stay
					for r := cl.readUntil("ok"); r.ID != 9; r = cl.readUntil("ok") {
					}
				}
				if len(leaves) > 0 {
					t.Errorf("OnLeave was called again, for %s", (<-leaves).room)
				}
			})
		}
	}
}

// TestOnLeaveOfGrant: a stay that its grant ends is told too.
func TestOnLeaveOfGrant(t *testing.T) {
	s := start(t, hub.RightsTick(5*time.Millisecond))
	leaves := s.watchLeaves(t)
	s.OnJoinGrant(grantFor(time.Second/2, false))
	cl := s.dial(t)
	cl.ask(`{"op":"join","id":1,"room":"a"}`)
	if r := cl.readUntil("left"); r.Code != "expired" {
		t.Errorf("%+v", r)
	}
	if l := receive(t, "OnLeave", leaves); l.room != "a" {
		t.Errorf("left %s", l.room)
	}
}

// moody is a broker whose histories and subscriptions fail at times.
type moody struct {
	memoryBroker
	fails atomic.Bool
}

func (b *moody) Subscribe(ctx context.Context, rooms ...string) error {
	if b.fails.Load() {
		return broker.ErrUnavailable
	}
	return b.memoryBroker.Subscribe(ctx, rooms...)
}

func (b *moody) Read(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	if b.fails.Load() {
		return broker.Page{}, broker.ErrUnavailable
	}
	return b.memoryBroker.Read(ctx, room, q)
}

// TestOnLeaveOfFailedJoin: a join that was never answered is no stay, and one that takes a member out of the room ends one.
func TestOnLeaveOfFailedJoin(t *testing.T) {
	b := &moody{memoryBroker: newMemory(t)}
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("past", hub.DefaultHistory()))
	leaves := s.watchLeaves(t)
	used := make(chan string, 10)
	s.OnRoomUsed(func(_ context.Context, room string) { used <- "used " + room })
	s.OnRoomEmpty(func(_ context.Context, room string) { used <- "empty " + room })
	cl := s.dial(t)
	b.fails.Store(true)
	for _, room := range []string{"a", "past"} {
		if r := cl.ask(`{"op":"join","id":1,"room":"` + room + `"}`); r.Code != "unavailable" {
			t.Errorf("%+v", r)
		}
	}
	b.fails.Store(false)
	cl.ask(`{"op":"join","id":2,"room":"past"}`)
	if got := receive(t, "OnRoomUsed", used); got != "used past" {
		t.Error(got)
	}
	if len(leaves)+len(used) > 0 {
		t.Error("a join that failed was told of")
	}
	b.fails.Store(true)
	cl.write(`{"op":"join","id":3,"room":"past","history":5}`)
	if r := cl.readUntil("left"); r.Code != "unavailable" {
		t.Errorf("%+v", r)
	}
	if l := receive(t, "OnLeave", leaves); l.room != "past" {
		t.Errorf("left %s", l.room)
	}
	if got := receive(t, "OnRoomEmpty", used); got != "empty past" {
		t.Error(got)
	}
	if r := cl.read(); r.ID != 3 || r.Code != "unavailable" {
		t.Errorf("%+v", r)
	}
	cl.alive()
}

// TestOnLeaveOrder: for what a client asks, OnLeave has returned before OnJoin is asked about the next stay.
func TestOnLeaveOrder(t *testing.T) {
	s := start(t)
	var mu sync.Mutex
	var calls []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, what)
	}
	s.OnJoin(func(context.Context, *hub.Conn, string) error { note("join"); return nil })
	s.OnLeave(func(context.Context, *hub.Conn, string) {
		time.Sleep(time.Millisecond)
		note("leave")
	})
	cl := s.dial(t)
	const rounds = 20
	for range rounds {
		cl.write(`{"op":"join","room":"a"}`)
		cl.write(`{"op":"leave","room":"a"}`)
	}
	for range rounds {
		cl.readUntil("ok")
	}
	cl.alive()
	mu.Lock()
	defer mu.Unlock()
	for i, what := range calls {
		if what != []string{"join", "leave"}[i%2] {
			t.Fatalf("call %d is %s: %v", i, what, calls)
		}
	}
	if len(calls) != 2*rounds {
		t.Errorf("%d calls, want %d", len(calls), 2*rounds)
	}
}

// TestOnLeaveFaults: a function that panics or ends its goroutine costs nobody anything, neither when a client leaves nor at
// the end of a connection.
func TestOnLeaveFaults(t *testing.T) {
	for name, fault := range map[string]func(){
		"panic": func() { panic("OnLeave") }, "Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				s := tr.start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser))
				s.OnLeave(func(context.Context, *hub.Conn, string) { fault() })
				leaves, ends := s.watchLeaves(t), make(chan struct{}, 10)
				s.OnDisconnect(func(context.Context, *hub.Conn, error) { ends <- struct{}{} })
				cl := s.dialAs(t, "ada")
				for i, room := range []string{"a", "b", "c", "d"} {
					cl.ask(fmt.Sprintf(`{"op":"join","id":%d,"room":%q}`, i+1, room))
				}
				if r := cl.ask(`{"op":"leave","id":9,"room":"a"}`); r.Op != "ok" {
					t.Errorf("%+v", r)
				}
				if l := receive(t, "OnLeave", leaves); l.room != "a" {
					t.Errorf("left %s", l.room)
				}
				cl.alive()
				if err := s.RemoveFromRoom(t.Context(), hub.ByUser("ada"), "b", ""); err != nil {
					t.Error(err)
				}
				cl.readUntil("left")
				if l := receive(t, "OnLeave", leaves); l.room != "b" {
					t.Errorf("left %s", l.room)
				}
				_ = cl.ws.Close()
				receive(t, "OnDisconnect", ends)
				if len(leaves) != 2 {
					t.Errorf("%d stays were told of, want 2", len(leaves))
				}
				await(t, "it is gone", func() bool { return s.Stats().Conns == 0 })
				if n := s.Stats().Panics; n != 4 {
					t.Errorf("%d panics are counted, want 4", n)
				}
			})
		})
	}
}

// TestOnLeaveThatBlocks: others are served, and Shutdown waits no longer than it may.
func TestOnLeaveThatBlocks(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"))
	entered, goOn := make(chan struct{}), make(chan struct{})
	s.OnLeave(func(_ context.Context, _ *hub.Conn, room string) {
		if room == "slow" {
			entered <- struct{}{}
			<-goOn
		}
	})
	cl, other := s.dial(t), s.dial(t)
	cl.ask(`{"op":"join","id":1,"room":"slow"}`)
	other.ask(`{"op":"join","id":1,"room":"slow"}`)
	_ = cl.ws.Close()
	receive(t, "OnLeave", entered)
	s.publish(t, "slow", 1)
	other.expect(`{"op":"message","room":"slow","data":1}`)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	go other.end() //nolint:errcheck // it answers the close frame
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v, want that its time is up", err)
	}
	receive(t, "OnLeave of the other", entered)
	close(goOn)
}

// TestLeaveHooksUnset: rooms are told after the end although nobody has set OnLeave.
func TestLeaveHooksUnset(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"))
	s.OnLeave(nil)
	s.OnRoomUsed(nil)
	s.OnRoomEmpty(nil)
	ends := make(chan []string, 1)
	s.OnDisconnect(func(_ context.Context, c *hub.Conn, err error) {
		if ce := (*hub.CloseError)(nil); !errors.As(err, &ce) || ce.Code != protocol.CloseAbnormal {
			t.Error(err)
		}
		ends <- c.Rooms()
	})
	cl := s.connect(t, http.Header{})
	cl.welcomed()
	cl.ask(`{"op":"join","id":1,"room":"a"}`)
	_ = cl.ws.Close()
	if got := receive(t, "OnDisconnect", ends); !slices.Equal(got, []string{"a"}) {
		t.Errorf("was in %v", got)
	}
}
