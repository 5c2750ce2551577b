package plan

import (
	"flag"
	"strings"
	"testing"
)

// Every room has its publishers among its members, and each member finds the room at its place.
func TestRooms(t *testing.T) {
	for _, p := range []Plan{
		{Conns: 1, Rooms: 1, RoomsPerConn: 1, Publishers: 1},
		{Conns: 10, Rooms: 3, RoomsPerConn: 1, Publishers: 3},
		{Conns: 61, Rooms: 7, RoomsPerConn: 3, Publishers: 26},
		{Conns: 5, Rooms: 5, RoomsPerConn: 5, Publishers: 5},
		{Conns: 4, Rooms: 20, RoomsPerConn: 5, Publishers: 1},
	} {
		for room := range p.Rooms {
			members := map[int]bool{}
			for conn := range p.Conns {
				j, ok := p.Place(conn, room)
				if ok {
					members[conn] = true
				}
				if ok && p.RoomOf(conn, j) != room {
					t.Errorf("%+v: connection %d has room %d at %d, which is %d", p, conn, room, j, p.RoomOf(conn, j))
				}
			}
			if want := p.Conns * p.RoomsPerConn / p.Rooms; len(members) != want && len(members) != want+1 {
				t.Errorf("%+v: room %d has %d members, want %d or one more", p, room, len(members), want)
			}
			seen := map[int]bool{}
			for k := range p.Publishers {
				conn := p.Publisher(room, k)
				if !members[conn] || seen[conn] {
					t.Errorf("%+v: %d publishes in room %d: member %t, twice %t", p, conn, room, members[conn], seen[conn])
				}
				seen[conn] = true
			}
		}
	}
}

func TestShares(t *testing.T) {
	for procs := 1; procs <= 7; procs++ {
		p := Plan{Conns: 61, Procs: procs}
		sum := 0
		for i := range procs {
			sum += p.Share(i)
		}
		if sum != 61 {
			t.Errorf("%d processes have %d connections", procs, sum)
		}
	}
}

func TestAmounts(t *testing.T) {
	tests := []struct {
		limit  string
		n, all int64
		holds  bool
	}{
		{"0", 0, 10, true}, {"0", 1, 10, false}, {"3", 3, 3, true}, {"0.1%", 1, 1000, true}, {"0.1%", 2, 1000, false},
		{"0%", 0, 0, true}, {"100%", 7, 7, true},
	}
	for _, tt := range tests {
		a, err := ParseAmount(tt.limit)
		if err != nil || a.Holds(tt.n, tt.all) != tt.holds {
			t.Errorf("%s holds %d of %d: %t, %v", tt.limit, tt.n, tt.all, !tt.holds, err)
		}
	}
	for _, bad := range []string{"", "x", "-1", "101%", "%", "NaN"} {
		if _, err := ParseAmount(bad); err == nil {
			t.Errorf("%q is an amount", bad)
		}
	}
}

func TestParse(t *testing.T) {
	const url = "ws://127.0.0.1:8080/ws"
	tests := []struct {
		name string
		args []string
		want string // of the error; "" for none
	}{
		{"defaults", []string{url}, ""},
		{"flags behind URLs", []string{url, "-conns", "4", url, "-rate", "0"}, ""},
		{"no URL", nil, "no URL"},
		{"no scheme", []string{"127.0.0.1:8080"}, "127.0.0.1:8080"},
		{"user", []string{"ws://a:b@c/"}, "Authorization"},
		{"too few in a room", []string{url, "-conns", "4", "-rate", "1000"}, "-publishers 4"},
		{"too many publishers", []string{url, "-conns", "4", "-publishers", "5"}, "-publishers 5"},
		{"empty rooms", []string{url, "-conns", "4", "-rooms", "5"}, "-rooms 5"},
		{"rooms of a connection", []string{url, "-rooms-per-conn", "2"}, "-rooms-per-conn 2"},
		{"small", []string{url, "-size", "10"}, "-size 10"},
		{"hello without raw", []string{url, "-hello", "x"}, "-hello"},
		{"raw with token", []string{url, "-raw", "echo", "-token", "x"}, "-token"},
		{"raw what", []string{url, "-raw", "other"}, "not connect"},
		{"rate of nothing", []string{url, "-raw", "connect", "-rate", "1"}, "-rate"},
		{"header", []string{url, "-header", "x"}, "Name: value"},
		{"source", []string{url, "-source", "here"}, "-source here"},
		{"no such file", []string{url, "-token", "@/nonexistent"}, "nonexistent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.args)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestPublishersStayBelowTheirRate(t *testing.T) {
	c, err := Parse([]string{"ws://h/", "-rate", "1000", "-rooms", "4", "-rooms-per-conn", "2"})
	if err != nil {
		t.Fatal(err)
	}
	// 4 rooms of 250/s each; a connection may publish in both of its rooms.
	if c.Plan.Publishers != 10 {
		t.Errorf("%d publishers in each room, want 10", c.Plan.Publishers)
	}
}

func TestHelpHasEveryFlag(t *testing.T) {
	var c Command
	named := map[string]bool{}
	for _, g := range groups {
		for _, name := range g.flags {
			named[name] = true
		}
	}
	n := 0
	c.flags().VisitAll(countFlags(func(name string) {
		n++
		if !named[name] {
			t.Errorf("the help does not have -%s", name)
		}
	}))
	if n != len(named) {
		t.Errorf("%d flags, %d in the help", n, len(named))
	}
}

func countFlags(each func(name string)) func(*flag.Flag) {
	return func(f *flag.Flag) { each(f.Name) }
}
