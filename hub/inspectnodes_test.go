package hub_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// populate connects clients to nodes, in turn, and joins them to rooms: all to "all", each to one of its own, and every third to
// "third".
func populate(t *testing.T, nodes []*server, n int) (clients []*client, ids []string) {
	t.Helper()
	for i := range n {
		s := nodes[i%len(nodes)]
		c := s.dialV1(t, fmt.Sprintf(`{"op":"hello","session":"s%d"}`, i))
		rooms := []string{"all", fmt.Sprint("own ", i)}
		if i%3 == 0 {
			rooms = append(rooms, "third")
		}
		for _, room := range rooms {
			if r := c.ask(`{"op":"join","id":1,"room":"` + room + `"}`); r.Op != "ok" {
				t.Fatalf("%+v", r)
			}
		}
		clients = append(clients, c)
	}
	for _, s := range nodes {
		for c := range s.Conns() {
			ids = append(ids, c.ID())
		}
	}
	slices.Sort(ids)
	return clients, ids
}

// TestInspectOverNodes: pages of any size list each connection and each room of every node once.
func TestInspectOverNodes(t *testing.T) {
	for _, n := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(n, " nodes"), func(t *testing.T) {
			nodes := newTown().start(t, n, hub.WithOpenRooms("*"))
			const conns = 25
			_, ids := populate(t, nodes, conns)
			rooms := make(map[string]int) // of any node, by node and name
			for _, s := range nodes {
				for r := range s.Rooms() {
					rooms[s.Node()+" "+r.Name] = r.Members
				}
			}
			for _, limit := range []int{1, 4, 0, 5000} {
				for what, q := range map[string]hub.ConnQuery{"all": {Limit: limit}, "of a room": {Limit: limit, Room: "all"}} {
					var got []string
					for pages := 0; ; pages++ {
						p, err := nodes[0].InspectConns(t.Context(), q)
						if err != nil || len(p.Silent) > 0 {
							t.Fatalf("%v, %v", p.Silent, err)
						}
						for _, c := range p.Conns {
							got = append(got, c.ID)
						}
						if q.After = p.Next; q.After == nil {
							if most := conns/max(1, n*min(limit, conns)) + 2; limit > 0 && pages > most {
								t.Errorf("%d pages with a limit of %d", pages, limit)
							}
							break
						}
					}
					slices.Sort(got)
					if !slices.Equal(got, ids) {
						t.Errorf("%s with a limit of %d:\ngot  %v\nwant %v", what, limit, got, ids)
					}
				}
				got := make(map[string]int)
				for q := (hub.RoomQuery{Limit: limit}); ; {
					p, err := nodes[n-1].InspectRooms(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range p.Rooms {
						if _, twice := got[r.Node+" "+r.Name]; twice {
							t.Errorf("%+v is listed twice", r)
						}
						got[r.Node+" "+r.Name] = r.Members
					}
					if q.After = p.Next; q.After == nil {
						break
					}
				}
				if !maps.Equal(got, rooms) {
					t.Errorf("rooms with a limit of %d:\ngot  %v\nwant %v", limit, got, rooms)
				}
			}
			p, err := nodes[0].InspectNodes(t.Context())
			if err != nil || len(p.Nodes) != n {
				t.Fatalf("%+v, %v", p, err)
			}
			for i, node := range p.Nodes {
				if node.Node != nodes[i].Node() || node.Conns != nodes[i].Stats().Conns || node.Rooms == 0 || !node.Ready || node.Draining || node.Stale ||
					time.Since(node.Since) > time.Minute {
					t.Errorf("%+v", node)
				}
			}
		})
	}
}

// TestInspectQueries: what a query names is listed, and nothing else.
func TestInspectQueries(t *testing.T) {
	nodes := newTown().start(t, 2, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser))
	ada, bob := nodes[0].dialAs(t, "ada"), nodes[1].dialAs(t, "bob")
	for range 30 { // more rooms than a page names
		for i, c := range []*client{ada, bob} {
			c.ask(fmt.Sprintf(`{"op":"join","id":1,"room":"room %d %d"}`, i, time.Now().UnixNano()))
		}
	}
	ada.ask(`{"op":"join","id":1,"room":"both"}`)
	bob.ask(`{"op":"join","id":1,"room":"both"}`)
	adas := slices.Collect(nodes[0].ConnsOf("ada"))[0]
	for name, tt := range map[string]struct {
		q     hub.ConnQuery
		want  string
		rooms int
	}{
		"a user":               {hub.ConnQuery{User: "bob"}, "bob", 20},
		"a node":               {hub.ConnQuery{Node: "n1"}, "ada", 20},
		"the other node":       {hub.ConnQuery{Node: "n2"}, "bob", 20},
		"a room":               {hub.ConnQuery{Room: "both"}, "ada bob", 20},
		"a user in a room":     {hub.ConnQuery{Room: "both", User: "ada"}, "ada", 20},
		"a user not in a room": {hub.ConnQuery{Room: "none", User: "ada"}, "", 0},
		"a connection":         {hub.ConnQuery{Conn: adas.ID()}, "ada", 31},
		"a session":            {hub.ConnQuery{Session: adas.Session()}, "ada", 20},
		"no connection":        {hub.ConnQuery{Conn: "n1-x"}, "", 0},
		"no backlog":           {hub.ConnQuery{Slowest: true}, "", 0},
	} {
		p, err := nodes[0].InspectConns(t.Context(), tt.q)
		var users []string
		for _, c := range p.Conns {
			users = append(users, c.User)
			if c.RoomCount != 31 || len(c.Rooms) != tt.rooms {
				t.Errorf("%s: %d of %d rooms are named", name, len(c.Rooms), c.RoomCount)
			}
		}
		if err != nil || strings.Join(users, " ") != tt.want || p.Next != nil {
			t.Errorf("%s: %v, %v, %v", name, users, p.Next, err)
		}
	}
	for name, tt := range map[string]struct {
		q    hub.RoomQuery
		want string
	}{
		"a room":    {hub.RoomQuery{Room: "both"}, "both both"},
		"a part":    {hub.RoomQuery{Contains: "ot"}, "both both"},
		"a node":    {hub.RoomQuery{Contains: "both", Node: "n2"}, "both"},
		"the first": {hub.RoomQuery{Contains: "both", Limit: 1, Largest: true}, "both both"},
		"none":      {hub.RoomQuery{Room: "none"}, ""},
	} {
		p, err := nodes[0].InspectRooms(t.Context(), tt.q)
		var names []string
		for _, r := range p.Rooms {
			names = append(names, r.Name)
		}
		if err != nil || strings.Join(names, " ") != tt.want {
			t.Errorf("%s: %v, %v", name, names, err)
		}
	}
	for _, after := range []string{"no number!", "65/x", "-1/x", "5"} {
		if _, err := nodes[0].InspectRooms(t.Context(), hub.RoomQuery{After: map[string]string{"n1": after}}); err == nil {
			t.Errorf("rooms after %q: no error", after)
		}
	}
	if _, err := nodes[0].InspectConns(t.Context(), hub.ConnQuery{After: map[string]string{"n2": "no number!"}}); err == nil || !strings.Contains(err.Error(), "n2") {
		t.Errorf("connections after a bad cursor: %v", err)
	}
	if p, err := nodes[0].InspectConns(t.Context(), hub.ConnQuery{After: map[string]string{"gone": "1"}}); err != nil || len(p.Conns) != 0 {
		t.Errorf("a page of a node that is gone: %+v, %v", p, err)
	}
}

// TestInspectPartly: a node that does not answer, and one of a version before, are named, and the others' answers are there.
func TestInspectPartly(t *testing.T) {
	t.Parallel() // it waits for who does not answer
	x := newTown()
	nodes := x.start(t, 3, hub.WithOpenRooms("*"))
	populate(t, nodes, 6)
	x.forget("n2", "conns", "rooms", "node", "disconnect_room", "remove_target")
	check := func(what string, silent []string, err error, got, want int, who ...string) {
		t.Helper()
		if !slices.Equal(silent, who) || got != want || (len(who) > 0) != (err != nil) {
			t.Errorf("%s: %d, want %d; silent %v, want %v; %v", what, got, want, silent, who, err)
		}
	}
	all := func(ctx context.Context, conns, rooms, nodesUp int, who ...string) {
		t.Helper()
		p, err := nodes[0].InspectConns(ctx, hub.ConnQuery{})
		check("connections", p.Silent, err, len(p.Conns), conns, who...)
		r, err := nodes[0].InspectRooms(ctx, hub.RoomQuery{Contains: "own"})
		check("rooms", r.Silent, err, len(r.Rooms), rooms, who...)
		n, err := nodes[0].InspectNodes(ctx)
		check("nodes", n.Silent, err, len(n.Nodes), nodesUp, who...)
	}
	all(t.Context(), 4, 4, 2, "n2")
	if nodes[1].Stats().IgnoredCommands != 3 {
		t.Errorf("n2 has ignored %d commands, want 3", nodes[1].Stats().IgnoredCommands)
	}
	x.sleep("n3")
	within := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // in which n1 answers itself
		t.Cleanup(cancel)
		return ctx
	}
	p, err := nodes[0].InspectConns(within(), hub.ConnQuery{})
	check("connections", p.Silent, err, len(p.Conns), 2, "n2", "n3")
	if !errors.Is(err, hub.ErrNoAnswer) {
		t.Errorf("the error is %v, want ErrNoAnswer", err)
	}
	// One that is asked alone waits for nobody else, and a node that is not alive is not waited for.
	p, err = nodes[0].InspectConns(t.Context(), hub.ConnQuery{Node: "n1"})
	check("n1 alone", p.Silent, err, len(p.Conns), 2)
	p, err = nodes[0].InspectConns(t.Context(), hub.ConnQuery{Node: "n2"})
	check("n2 alone", p.Silent, err, len(p.Conns), 0, "n2")
	p, err = nodes[0].InspectConns(t.Context(), hub.ConnQuery{Node: "n9"})
	check("n9 alone", p.Silent, err, len(p.Conns), 0, "n9")
	done, err := nodes[0].Disconnect(within(), hub.ByRoom("all"), nil)
	if !slices.Equal(done.Silent, []string{"n2", "n3"}) || done.Total() != 2 || !errors.Is(err, hub.ErrNoAnswer) {
		t.Errorf("Disconnect: %+v, %v", done, err)
	}
	if err := nodes[0].RemoveFromRoom(within(), hub.ByRoom("all"), "all", ""); !errors.Is(err, hub.ErrNoAnswer) {
		t.Errorf("RemoveFromRoom: %v", err)
	}
}

// TestInspectWhileCutOff: this node's part is there although the others cannot be asked.
func TestInspectWhileCutOff(t *testing.T) {
	s := start(t, hub.WithBroker(&cut{newMemory(t), []broker.Node{{ID: "n1"}, {ID: "n2"}}, broker.ErrUnavailable}))
	s.dial(t)
	p, err := s.InspectConns(t.Context(), hub.ConnQuery{})
	if !errors.Is(err, broker.ErrUnavailable) || len(p.Conns) != 1 || !slices.Equal(p.Silent, []string{"n2"}) {
		t.Errorf("%+v, %v", p, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := s.InspectConns(t.Context(), hub.ConnQuery{}); !errors.Is(err, hub.ErrClosed) || p.Conns == nil {
		t.Errorf("on a closed hub: %+v, %v", p, err)
	}
}

// TestInspectLargePages: what does not fit into an answer comes with the next page, and one that fits into none is named all
// the same.
func TestInspectLargePages(t *testing.T) {
	huge := strings.Repeat("x", 600<<10)
	users := []string{"ada", huge, "bob", strings.Repeat("y", 300<<10), strings.Repeat("z", 300<<10)}
	next := make(chan string, len(users))
	s := start(t, hub.WithTokenVerifier(func(context.Context, string) (hub.Identity, error) {
		return hub.Identity{User: <-next}, nil
	}))
	for _, user := range users {
		next <- user
		s.dialV1(t, `{"op":"hello","token":"t"}`)
	}
	var got []string
	pages := 0
	for q := (hub.ConnQuery{}); ; pages++ {
		p, err := s.InspectConns(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Conns {
			got = append(got, c.User)
			if c.ID == "" || c.Node != "n1" {
				t.Errorf("%+v", c)
			}
		}
		if q.After = p.Next; q.After == nil {
			break
		}
	}
	users[1] = ""
	if !slices.Equal(got, users) || pages != 1 {
		t.Errorf("%d pages after the first, with %d users", pages, len(got))
	}
}

// TestActionsByTarget: on every node, those that are meant are closed with the code and the hint, or taken out of the room, and
// nobody else.
func TestActionsByTarget(t *testing.T) {
	for name, target := range map[string]func(c *hub.Conn) hub.Target{
		"connection": func(c *hub.Conn) hub.Target { return hub.ByConn(c.ID()) },
		"session":    func(c *hub.Conn) hub.Target { return hub.BySession(c.Session()) },
		"user":       func(c *hub.Conn) hub.Target { return hub.ByUser(c.Identity().User) },
		"room":       func(*hub.Conn) hub.Target { return hub.ByRoom("meant") },
	} {
		t.Run(name, func(t *testing.T) {
			nodes := newTown().start(t, 3, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithRooms("here", hub.Presence()))
			for _, s := range nodes {
				for i, other := range nodes {
					meant, bystander := other.dialAs(t, "ada"), other.dialAs(t, "bob")
					for _, c := range []*client{meant, bystander} {
						c.ask(`{"op":"join","id":1,"room":"a"}`)
						if c == meant {
							c.ask(`{"op":"join","id":2,"room":"meant"}`)
						}
						c.write(`{"op":"join","id":3,"room":"here"}`)
						c.readUntil("ok") // events may come before
					}
					whose := target(slices.Collect(other.ConnsOf("ada"))[0])
					for _, room := range []string{"a", "here", "a", "none"} {
						if err := s.RemoveFromRoom(t.Context(), whose, room, "enough"); err != nil {
							t.Fatal(err)
						}
					}
					for _, room := range []string{"a", "here"} {
						if r := meant.readUntil("left"); r.Room != room || r.Code != "removed" || r.Message != "enough" {
							t.Errorf("%+v", r)
						}
					}
					done, err := s.Disconnect(t.Context(), whose, &hub.CloseError{Code: 4242, Reason: "out", RetryAfter: time.Second, Spread: time.Minute})
					if err != nil || done.Total() != 1 || done.Nodes[other.Node()] != 1 {
						t.Fatalf("from %s on n%d: %+v, %v", s.Node(), i+1, done, err)
					}
					if h := meant.hinted(4242); h.Reason != "out" || h.RetryAfter != time.Second || h.Spread != time.Minute {
						t.Errorf("the hint is %+v", h)
					}
					_ = meant.ws.Close()
					if r := other.Room("a"); r.Members != 1 {
						t.Errorf("%+v, want the bystander", r)
					}
					_ = bystander.ws.Close()
					await(t, "all are gone", func() bool { return other.Stats().Conns == 0 })
				}
			}
			for _, none := range []hub.Target{{}, hub.ByUser(""), hub.ByRoom(""), hub.BySession(""), hub.ByConn("")} {
				if done, err := nodes[0].Disconnect(t.Context(), none, nil); err != nil || done.Total() != 0 {
					t.Errorf("nobody: %+v, %v", done, err)
				}
				if err := nodes[0].RemoveFromRoom(t.Context(), none, "a", ""); err != nil {
					t.Errorf("nobody: %v", err)
				}
			}
		})
	}
}

// readUntil skips what is not meant.
func (c *client) readUntil(op string) reply {
	c.t.Helper()
	for {
		if r := c.read(); r.Op == op {
			return r
		}
	}
}

// TestRemoveByConnWhileDeciding: a join that OnJoin has allowed before the connection was taken out of the room is refused.
func TestRemoveByConnWhileDeciding(t *testing.T) {
	nodes := newTown().start(t, 2)
	asked, answer := make(chan *hub.Conn), make(chan struct{})
	nodes[1].OnJoin(func(_ context.Context, c *hub.Conn, _ string) error {
		asked <- c
		<-answer
		return nil
	})
	cl := nodes[1].dial(t)
	for _, target := range []func(c *hub.Conn) hub.Target{
		func(c *hub.Conn) hub.Target { return hub.ByConn(c.ID()) },
		func(c *hub.Conn) hub.Target { return hub.BySession(c.Session()) },
	} {
		cl.write(`{"op":"join","id":1,"room":"a"}`)
		if err := nodes[0].RemoveFromRoom(t.Context(), target(receive(t, "OnJoin", asked)), "a", "banned"); err != nil {
			t.Fatal(err)
		}
		answer <- struct{}{}
		if r := cl.read(); r.Op != "error" || r.Code != string(protocol.CodeRemoved) {
			t.Errorf("%+v", r)
		}
	}
}
