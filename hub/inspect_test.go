package hub_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestConnInfo: what is known of a connection, on every transport, and as JSON.
func TestConnInfo(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		before := time.Now()
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			return hub.Identity{User: r.Header.Get("X-User"), ExpiresAt: before.Add(time.Hour)}, nil
		}), hub.WithRooms("past", hub.DefaultHistory()))
		conns := s.watchConns()
		cl := s.connect(t, http.Header{"X-User": {"ada"}}, protocol.Subprotocol)
		cl.write(`{"op":"hello","session":"tab 1"}`)
		cl.welcomed()
		c := receive(t, "OnConnect", conns)
		for _, room := range []string{"b", "a"} {
			cl.ask(`{"op":"join","id":1,"room":"` + room + `"}`)
		}
		s.publish(t, "a", 1)
		await(t, "the message is sent", func() bool { return c.Info().Delivered == 1 })
		i := c.Info()
		if i.Since.Before(before.Add(-time.Second)) || i.Since.After(time.Now().Add(time.Millisecond)) || i.LastMessage.Before(i.Since.Add(-50*time.Millisecond)) || // Since is exact to 32
			!i.IdentityExpires.Equal(before.Add(time.Hour)) {
			t.Errorf("times: %+v", i)
		}
		if s.Conn(i.ID) != c || s.Conn(i.ID+"x") != nil || s.Conn("") != nil {
			t.Error("the connection is not found by its ID, or another is")
		}
		i.Since, i.LastMessage, i.IdentityExpires = time.Time{}, time.Time{}, time.Time{}
		traffic := fmt.Sprintf(`"received_bytes":%d,"received_messages":3,"sent_bytes":%d,"sent_messages":4,`, i.ReceivedBytes, i.SentBytes)
		got, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"id":"` + c.ID() + `","session":"tab 1","node":"n1","user":"ada","state":"open","addr":"127.0.0.1","transport":"websocket",` +
			`"protocol":"hubkit.v1","codec":"json","compressed":false,"since":"0001-01-01T00:00:00Z","last_message":"0001-01-01T00:00:00Z","room_count":2,` +
			`"rooms":["b","a"],` + traffic + `"delivered":1,"dropped":0,"conflated":0,"backlog_messages":0,"backlog_bytes":0,"replaying":0}`
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		_ = cl.ws.Close()
		await(t, "it is gone", func() bool { return s.Stats().Conns == 0 })
		if i := c.Info(); i.State != "closed" || !slices.Equal(i.Rooms, []string{"b", "a"}) {
			t.Errorf("after its end: %+v", i)
		}
	})
}

// TestConnInfoOfCodecs: what a connection speaks is told.
func TestConnInfoOfCodecs(t *testing.T) {
	for _, tt := range []struct {
		subprotocol     string
		raw             bool
		protocol, codec string
	}{
		{"", false, "", "json"},
		{protocol.Subprotocol, false, protocol.Subprotocol, "json"},
		{protocol.SubprotocolCBOR, false, protocol.SubprotocolCBOR, "cbor"},
		{"", true, "raw", "raw"},
	} {
		var opts []hub.Option
		if tt.raw {
			opts = append(opts, hub.WithRaw())
		}
		s := start(t, opts...)
		var offered []string
		if tt.subprotocol != "" {
			offered = append(offered, tt.subprotocol)
		}
		s.connect(t, nil, offered...)
		await(t, "it is there", func() bool { return s.Stats().Conns == 1 })
		for c := range s.Conns() {
			if i := c.Info(); i.Protocol != tt.protocol || i.Codec != tt.codec || i.State != "open" {
				t.Errorf("%q, raw %v: %+v", tt.subprotocol, tt.raw, i)
			}
		}
		kinds := s.SumConns().Kinds
		if n := kinds[hub.ConnKind{Transport: "websocket", Codec: tt.codec}]; n != 1 || len(kinds) != 4 {
			t.Errorf("%q, raw %v: counted as %v", tt.subprotocol, tt.raw, kinds)
		}
	}
}

// TestIterators: connections, a user's connections, rooms and their members, and the largest rooms first.
func TestIterators(t *testing.T) {
	s := start(t, hub.WithAuthenticator(asUser), hub.WithOpenRooms("*"), hub.WithRooms("past*", hub.DefaultHistory()), hub.WithRooms("here*", hub.Presence()))
	conns := s.watchConns()
	sizes := map[string]int{"a": 5, "past": 3, "here": 4, "b": 5}
	members := make(map[string][]*hub.Conn)
	var all []*hub.Conn
	for i := range 5 {
		s.dialAs(t, []string{"ada", "bob"}[i%2])
		c := receive(t, "OnConnect", conns)
		all = append(all, c)
		for room, n := range sizes {
			if i < n {
				if err := c.Join(t.Context(), room); err != nil {
					t.Fatal(err)
				}
				members[room] = append(members[room], c)
			}
		}
	}
	same := func(what string, got, want []*hub.Conn) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("%s: %d, want %d", what, len(got), len(want))
		}
		for _, c := range want {
			if !slices.Contains(got, c) {
				t.Errorf("%s: %s is missing", what, c.ID())
			}
		}
	}
	same("Conns", slices.Collect(s.Conns()), all)
	same("ConnsOf ada", slices.Collect(s.ConnsOf("ada")), []*hub.Conn{all[0], all[2], all[4]})
	same("ConnsOf nobody", slices.Collect(s.ConnsOf("")), nil)
	for room, want := range members {
		same("Members of "+room, slices.Collect(s.Members(room)), want)
	}
	same("Members of no room", slices.Collect(s.Members("none")), nil)
	for range s.Conns() { // a loop may end early
		break
	}
	for range s.Members("a") {
		break
	}
	got := make(map[string]int)
	for r := range s.Rooms() {
		got[r.Name] = r.Members
		if r != s.Room(r.Name) || r.Node != "n1" || r.History != (r.Name == "past") || r.Presence != (r.Name == "here") {
			t.Errorf("%+v", r)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(sizes) {
		t.Errorf("rooms %v, want %v", got, sizes)
	}
	for n, want := range []string{"", "a", "a b", "a b here", "a b here past", "a b here past"} {
		var names []string
		for _, r := range s.LargestRooms(n) {
			names = append(names, r.Name)
		}
		if strings.Join(names, " ") != want {
			t.Errorf("the %d largest rooms are %v, want %s", n, names, want)
		}
	}
	if r := s.Room("none"); r != (hub.RoomInfo{Name: "none", Node: "n1"}) {
		t.Errorf("a room that nobody is in: %+v", r)
	}
}

// TestTop: the n greatest are kept and sorted, whatever the order in which they are offered.
func TestTop(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		offered := make([]int, rng.IntN(200))
		for i := range offered {
			offered[i] = rng.IntN(50)
		}
		n := rng.IntN(30)
		got := hub.Top(n, offered)
		slices.SortFunc(offered, func(a, b int) int { return b - a })
		if want := offered[:min(n, len(offered))]; !slices.Equal(got, want) {
			t.Fatalf("the %d greatest are %v, want %v", n, got, want)
		}
	}
}

// TestSlowestConns: those with the largest backlog come first, and those without one not at all.
func TestSlowestConns(t *testing.T) {
	s := transport{sendBuffer: 4 << 10}.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(1000, 64<<20), hub.WithWriteTimeout(patience))
	conns := s.watchConns()
	var slow []*hub.Conn
	for i := range 4 {
		s.dial(t)
		c := receive(t, "OnConnect", conns)
		slow = append(slow, c)
		if i == 0 {
			continue // it has no backlog
		}
		// It reads nothing: beyond what the system buffers, each gets a backlog, and later ones a larger one.
		for c.Info().BacklogBytes == 0 {
			if err := c.Send([]byte(`"` + strings.Repeat("x", 1<<20) + `"`)); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 * i {
			if err := c.Send([]byte(`"` + strings.Repeat("x", 1<<20) + `"`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n, want := range [][]*hub.Conn{{}, {slow[3]}, {slow[3], slow[2]}, {slow[3], slow[2], slow[1]}, {slow[3], slow[2], slow[1]}} {
		got := s.SlowestConns(n)
		if len(got) != len(want) {
			t.Fatalf("the slowest %d are %d", n, len(got))
		}
		for i, c := range want {
			if got[i].ID != c.ID() || got[i].BacklogBytes == 0 || got[i].BacklogMessages == 0 {
				t.Errorf("number %d of the slowest %d is %+v, want %s", i, n, got[i], c.ID())
			}
		}
	}
	page, err := s.InspectConns(t.Context(), hub.ConnQuery{Slowest: true, Limit: 2})
	if err != nil || len(page.Conns) != 2 || page.Conns[0].ID != slow[3].ID() || page.Conns[1].ID != slow[2].ID() || page.Next != nil {
		t.Errorf("InspectConns of the slowest: %+v, %v", page, err)
	}
}

// TestIterateDuringChurn: connections that stay are visited exactly once while others come and go, and no loop blocks them.
func TestIterateDuringChurn(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"))
	conns := s.watchConns()
	stay := make(map[*hub.Conn]bool)
	for range 50 {
		c := s.dial(t)
		c.ask(`{"op":"join","id":1,"room":"a"}`)
		stay[receive(t, "OnConnect", conns)] = true
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-conns:
			default:
				ws, resp, err := s.dialer().Dial(s.url, nil)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				_ = ws.WriteMessage(1, []byte(`{"op":"join","id":1,"room":"a"}`))
				_ = ws.Close()
			}
		}
	}()
	for range 200 {
		for what, seq := range map[string]func(func(*hub.Conn) bool){"Conns": s.Conns(), "Members": s.Members("a")} {
			seen := make(map[*hub.Conn]int)
			for c := range seq {
				seen[c]++
				_ = c.Info()
			}
			for c := range stay {
				if seen[c] != 1 {
					t.Fatalf("%s visits %s %d times", what, c.ID(), seen[c])
				}
			}
		}
		if r := s.LargestRooms(1); len(r) != 1 || r[0].Members < len(stay) {
			t.Fatalf("%+v", r)
		}
	}
	close(stop)
	for {
		select {
		case <-conns:
			continue
		case <-done:
		}
		break
	}
}
