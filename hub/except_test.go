package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// place is where a room's stream has come to for a client: which offsets it was sent, as messages or as skips.
func (c *client) place(from, to int, skipped func(n int) bool) {
	c.t.Helper()
	for n := from; n <= to; n++ {
		want := "message"
		if skipped(n) {
			want = "skip"
		}
		if r := c.read(); r.Op != want || r.Offset != uint64(n) || (r.Data == nil) != skipped(n) {
			c.t.Fatalf("offset %d: %+v, want a %s", n, r, want)
		}
	}
}

func never(int) bool   { return false }
func always(int) bool  { return true }
func even(n int) bool  { return n%2 == 0 }
func third(n int) bool { return n%3 == 0 }

// TestNoEcho: a client that wants no echo is not sent its own messages, on none of its connections, and its position goes on.
// Everybody else is sent them.
func TestNoEcho(t *testing.T) {
	overAll(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithRooms("past", hub.DefaultHistory()))
		for _, room := range []string{"past", "plain"} {
			pub, sub := s.dial(t), s.dial(t)
			members := []*client{pub, sub}
			for range 8 { // enough to be sent to together
				members = append(members, s.dial(t))
			}
			for _, c := range members {
				c.ask(`{"op":"join","room":"` + room + `","id":1}`)
			}
			for n := 1; n <= 20; n++ {
				echo := ""
				if even(n) {
					echo = `,"echo":false`
				}
				pub.write(fmt.Sprintf(`{"op":"publish","room":%q,"data":%d%s}`, room, n, echo))
			}
			if room == "past" {
				pub.place(1, 20, even)
			} else {
				for n := 1; n <= 20; n += 2 {
					pub.expect(fmt.Sprintf(`{"op":"message","room":"plain","data":%d}`, n))
				}
			}
			pub.alive()
			for _, c := range members[1:] {
				for n := 1; n <= 20; n++ {
					if r := c.read(); r.Op != "message" || string(r.Data) != fmt.Sprint(n) {
						t.Fatalf("%s, message %d: %+v", room, n, r)
					}
				}
				c.alive()
			}
			const want = 9*20 + 10
			pattern := map[string]string{"past": "past", "plain": ""}[room]
			await(t, "all is counted", func() bool { return s.ruleStats(pattern).Delivered >= want })
			if st := s.ruleStats(pattern); st.Delivered != want || st.Dropped != 0 {
				t.Errorf("%s: %+v, want %d delivered", room, st, want)
			}
		}
	})
}

// TestExceptOptions: the service excepts a connection or a session, whichever node's it is.
func TestExceptOptions(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("past", hub.DefaultHistory()))
	conns := make(chan *hub.Conn, 3)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error { conns <- c; return nil })
	first := s.dialV1(t, `{"op":"hello"}`)
	conn := <-conns
	session := sessionOf(t, s)
	<-conns
	second := s.dialV1(t, `{"op":"hello","session":"`+session+`"}`)
	same := <-conns
	third := s.dial(t)
	for _, c := range []*client{first, second, third} {
		c.ask(`{"op":"join","room":"past","id":1}`)
	}
	publish := func(o hub.PublishOption) {
		t.Helper()
		if _, err := s.Publish(t.Context(), "past", []byte("1"), o); err != nil {
			t.Fatal(err)
		}
	}
	publish(hub.ExceptConn(conn.ID()))
	publish(hub.ExceptConn(same.ID()))
	publish(hub.ExceptSession(same))
	publish(hub.ExceptSession(conn))
	publish(hub.ExceptConn("n9-nobody-1"))
	at := func(offsets ...int) func(int) bool {
		return func(n int) bool { return slices.Contains(offsets, n) }
	}
	first.place(1, 5, at(1, 4))
	second.place(1, 5, at(2, 3))
	third.place(1, 5, never)
}

// sessionOf is the name of a session that another connection had.
func sessionOf(t *testing.T, s *server) string {
	t.Helper()
	c := s.connect(t, nil, "hubkit.v1")
	c.write(`{"op":"hello"}`)
	name := c.welcomed().Session
	_ = c.ws.Close()
	return name
}

// TestNoEchoOfImpostors: nobody can keep a message from others by a name that they have chosen.
func TestNoEchoOfImpostors(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("past", hub.DefaultHistory()))
	victim := s.connect(t, nil, "hubkit.v1")
	victim.write(`{"op":"hello"}`)
	name := victim.welcomed().Session
	victim.ask(`{"op":"join","room":"past","id":1}`)
	n := 0
	for _, session := range []string{victim.id, victim.id + "." + strings.Repeat("A", 22), strings.ToUpper(name), "." + name, name + "."} {
		c := s.dialV1(t, `{"op":"hello","session":"`+session+`"}`)
		if r := c.ask(`{"op":"publish","room":"past","id":1,"data":1,"echo":false}`); r.Op != "ok" {
			t.Fatalf("%+v", r)
		}
		n++
	}
	victim.place(1, n, never)
	c := s.dialV1(t, `{"op":"hello","session":"`+name+`"}`) // who knows the name is the session
	c.ask(`{"op":"publish","room":"past","id":1,"data":1,"echo":false}`)
	victim.place(n+1, n+1, always)
	page, err := s.History(t.Context(), "past", broker.Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Messages {
		if e := m.Meta.Except.Session; e == "" || strings.Contains(e, name) || strings.Contains(e, name[len(name)-22:]) {
			t.Errorf("the broker keeps the session's own name: %q", e)
		}
	}
}

// TestNoEchoOverNodes: over two nodes and Redis, the publisher's position goes on live, in what it reads from the history, and
// when it comes back on the other node. What it publishes while it is away is not sent to it either.
func TestNoEchoOverNodes(t *testing.T) {
	r := redistest.Start(t)
	var nodes [2]*server
	for i := range nodes {
		b, err := redis.New([]string{r.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = start(t, hub.WithNode(fmt.Sprint("n", i)), hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithoutRateLimit(),
			hub.WithRooms("past", hub.History(1000, time.Hour), hub.ShowPublisher(hub.PublisherID), hub.ShowTime()))
	}
	hello := func(s *server, session, resume string) (*client, string) {
		c := s.connect(t, nil, "hubkit.v1")
		c.write(`{"op":"hello","session":"` + session + `"` + resume + `}`)
		return c, c.welcomed().Session
	}
	pub, session := hello(nodes[0], "", "")
	near, far := nodes[0].dial(t), nodes[1].dial(t)
	var epoch string
	for _, c := range []*client{pub, near, far} {
		epoch = c.ask(`{"op":"join","room":"past","id":1}`).Epoch
	}
	publish := func(c *client, from, to int) {
		for n := from; n <= to; n++ {
			echo := ""
			if third(n) {
				echo = `,"echo":false`
			}
			c.write(fmt.Sprintf(`{"op":"publish","room":"past","data":%d%s}`, n, echo))
		}
	}
	publish(pub, 1, 99)
	pub.place(1, 99, third)
	near.place(1, 99, never)
	far.place(1, 99, never)

	// The same session, with a second connection on the other node.
	other, again := hello(nodes[1], session, fmt.Sprintf(`,"resume":[{"room":"past","epoch":%q,"offset":50}]`, epoch))
	if again != session {
		t.Fatalf("session %q, want %q", again, session)
	}
	if ok := other.read(); ok.Op != "ok" || ok.Offset != 50 {
		t.Fatalf("%+v", ok)
	}
	other.place(51, 99, third)
	publish(other, 100, 120)
	for _, c := range []*client{pub, other} {
		c.place(100, 120, third)
	}
	near.place(100, 120, never)
	far.place(100, 120, never)

	// It goes, its messages are stored meanwhile, and it comes back.
	_ = other.ws.Close()
	publish(pub, 121, 150)
	pub.place(121, 150, third)
	other, _ = hello(nodes[1], session, fmt.Sprintf(`,"resume":[{"room":"past","epoch":%q,"offset":120}]`, epoch))
	if ok := other.read(); ok.Op != "ok" || ok.Offset != 120 {
		t.Fatalf("%+v", ok)
	}
	other.place(121, 150, third)
	near.place(121, 150, never)
	far.place(121, 150, never)
	stranger, _ := hello(nodes[1], "another", fmt.Sprintf(`,"resume":[{"room":"past","epoch":%q,"offset":1}]`, epoch))
	stranger.read()
	stranger.place(2, 150, never)

	page, err := nodes[1].History(t.Context(), "past", broker.Position{}, 0)
	if err != nil || len(page.Messages) != 150 {
		t.Fatalf("%d messages, %v", len(page.Messages), err)
	}
	for i, m := range page.Messages {
		if m.Meta == nil || m.Meta.Publisher == nil || m.Meta.Time == 0 || m.Meta.Except.IsZero() == third(i+1) {
			t.Fatalf("message %d carries %+v", i+1, m.Meta)
		}
	}
	for _, c := range []*client{pub, other, near, far, stranger} {
		c.alive()
	}
}

// TestExceptConnOverNodes: a connection that the service excepts on another node is told to go on after the message there. What
// it then resumes from, on either node, has every message once.
func TestExceptConnOverNodes(t *testing.T) {
	r := redistest.Start(t)
	nodes := []*server{redisNode(t, poller, r, "n0"), redisNode(t, poller, r, "n1")}
	joined := func(s *server) (c *client, epoch string) {
		c = s.dialV1(t, `{"op":"hello"}`)
		return c, c.ask(`{"op":"join","room":"past","id":1}`).Epoch
	}
	excepted, epoch := joined(nodes[1])
	near, _ := joined(nodes[0]) // of the node that publishes
	far, _ := joined(nodes[1])
	publish := func(from, to int, except func(int) bool) {
		t.Helper()
		for n := from; n <= to; n++ {
			var opts []hub.PublishOption
			if except(n) {
				opts = append(opts, hub.ExceptConn(excepted.id))
			}
			if _, err := nodes[0].Publish(t.Context(), "past", fmt.Append(nil, n), opts...); err != nil {
				t.Fatal(err)
			}
		}
	}
	resume := func(s *server, from int) *client {
		t.Helper()
		c := s.dialV1(t, fmt.Sprintf(`{"op":"hello","resume":[{"room":"past","epoch":%q,"offset":%d}]}`, epoch, from))
		if ok := c.read(); ok.Op != "ok" || ok.Offset != uint64(from) {
			t.Fatalf("%+v", ok)
		}
		return c
	}
	publish(1, 60, third) // the last one is skipped
	excepted.place(1, 60, third)
	near.place(1, 60, never)
	far.place(1, 60, never)

	// It goes at a skip. Another connection is not excepted, and goes on with what was published meanwhile.
	_ = excepted.ws.Close()
	publish(61, 90, third)
	near.place(61, 90, never)
	far.place(61, 90, never)
	here, there := resume(nodes[0], 60), resume(nodes[1], 60)
	for _, c := range []*client{here, there} {
		c.place(61, 90, never)
	}
	// It reads what it was kept from if it goes back, since ExceptConn is about a connection.
	again := resume(nodes[1], 1)
	again.place(2, 90, never)

	// Now this one is excepted, from all, and its position goes on all the same.
	excepted = there
	publish(91, 120, always)
	there.place(91, 120, always)
	for _, c := range []*client{near, far, here, again} {
		c.place(91, 120, never)
	}
	_ = there.ws.Close()
	publish(121, 121, never)
	for i, s := range nodes {
		c := resume(s, 120)
		c.place(121, 121, never)
		c.alive()
		if n := s.Stats().Gaps; n != 0 {
			t.Errorf("node %d: %d gaps", i, n)
		}
	}
	for _, c := range []*client{near, far, here, again} {
		c.place(121, 121, never)
		c.alive()
	}
}

// TestExceptReplay: a connection that reads slowly comes by every place of a room with OverflowReplay, in order and once, as a
// message or as a skip. Skips alone make no slow consumer of it.
func TestExceptReplay(t *testing.T) {
	const messages, size = 1500, 2 << 10
	overAll(t, func(t *testing.T, tr transport) {
		for name, skipped := range map[string]func(int) bool{"some": third, "all": always} {
			s := slowServer(t, tr)
			slow, conn := s.stall(t, "replay")
			for n := 1; n <= messages; n++ {
				var opts []hub.PublishOption
				if skipped(n) {
					opts = append(opts, hub.ExceptSession(conn))
				}
				if _, err := s.Publish(t.Context(), "replay", payload(n, size), opts...); err != nil {
					t.Fatal(err)
				}
			}
			slow.place(1, messages, skipped)
			await(t, "it is in step again", func() bool { return conn.Stats().Replaying == 0 })
			s.publishMany(t, "replay", 0, 1, size)
			slow.place(messages+1, messages+1, never)
			slow.alive()
			want := int64(1)
			for n := 1; n <= messages; n++ {
				if !skipped(n) {
					want++
				}
			}
			await(t, name+": all is counted", func() bool { return conn.Stats().Delivered >= want })
			if got := conn.Stats(); got.Delivered != want || got.Dropped != 0 {
				t.Errorf("%s: %+v, want %d delivered", name, got, want)
			}
		}
	})
}

// TestExceptRaw: on a raw hub an excepted connection is sent nothing in place of a message.
func TestExceptRaw(t *testing.T) {
	s := start(t, hub.WithRaw())
	conns := make(chan *hub.Conn, 2)
	s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		conns <- c
		return c.Join(ctx, "r")
	})
	a, b := s.connect(t, http.Header{}), s.connect(t, nil)
	ca, cb := <-conns, <-conns
	if !strings.HasSuffix(ca.ID(), "-1") {
		ca, cb = cb, ca
	}
	await(t, "both are in", func() bool { return len(ca.Rooms()) == 1 && len(cb.Rooms()) == 1 })
	for _, p := range []struct {
		data string
		o    []hub.PublishOption
	}{{"1", []hub.PublishOption{hub.ExceptConn(ca.ID())}}, {"2", []hub.PublishOption{hub.ExceptSession(cb)}}, {"3", nil}} {
		if _, err := s.Publish(t.Context(), "r", []byte(p.data), p.o...); err != nil {
			t.Fatal(err)
		}
	}
	a.expect("2", "3")
	b.expect("1", "3")
}
