package redis_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// A room that the user may not have is refused to who asks for it, and costs the other rooms nothing, now and after the
// connection was lost.
func TestRefusedRoomFailsAlone(t *testing.T) {
	for name, start1 := range map[string]func(*testing.T) (addrs []string, do func(args ...string)){
		"standalone": func(t *testing.T) ([]string, func(...string)) {
			s := redistest.Start(t)
			return []string{s.Addr()}, func(args ...string) { s.Do(args...) }
		},
		"cluster": func(t *testing.T) ([]string, func(...string)) {
			c := redistest.StartCluster(t, false)
			return c.Addrs(), func(args ...string) {
				for _, s := range c.Servers {
					s.Do(args...)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			addrs, do := start1(t)
			do("ACL", "SETUSER", "hub", "on", ">pw", "+@all", "~*", "&hubkit:{good*", "&hubkit:bus*", "&hubkit:probe*")
			var log journal
			b, rec := start(t, addrs, append(brisk(t), redis.WithAuth("hub", "pw"), log.option())...)
			var good []string
			for i := range 1500 {
				good = append(good, fmt.Sprint("good-", i))
			}
			bad := []string{"bad-1", "bad-2"}
			err := b.Subscribe(t.Context(), slices.Concat(good[:700], bad, good[700:])...)
			if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") || !strings.Contains(err.Error(), "hubkit:{bad-1}") {
				t.Errorf("Subscribe: %v, want ErrUnavailable, NOPERM and the channel", err)
			}
			if err := b.Subscribe(t.Context(), bad[0]); !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("Subscribe to it again: %v, want ErrUnavailable", err)
			}
			heard := 0
			hear := func() {
				t.Helper()
				heard++
				for i := 0; i < len(good); i += 100 {
					publish(t, b, good[i], broker.Publication{Data: []byte("m"), Retention: kept})
					wait(t, rec, "a message", func(r *brokertest.Recorder) bool { return len(r.Messages(good[i])) == heard })
				}
			}
			hear()
			if s := rec.States(); len(s) > 0 {
				t.Errorf("states %v, want none", s)
			}
			for i := range 3 {
				do("CLIENT", "KILL", "TYPE", "pubsub")
				live(t, rec, i+1)
				hear()
			}
			if n := b.Stats().Reconnects; n > 3*3 {
				t.Errorf("%d reconnects, want one for each connection that was cut", n)
			}
			if len(log.lines("level=ERROR", "NOPERM", "hubkit:{bad-")) == 0 {
				t.Errorf("the log does not name the channel:\n%s", log.lines())
			}

			// What is taken away from a node that has it makes it stale, and what is given is heard.
			do("ACL", "SETUSER", "hub", "allchannels")
			if err := b.Subscribe(t.Context(), bad...); err != nil {
				t.Error(err)
			}
			do("ACL", "SETUSER", "hub", "resetchannels", "&hubkit:{good*", "&hubkit:bus*", "&hubkit:probe*")
			stale(t, rec)
			hear()
			do("ACL", "SETUSER", "hub", "allchannels")
			settled(t, rec)
			publish(t, b, bad[0], broker.Publication{Data: []byte("m")})
			wait(t, rec, "a message in the other room", func(r *brokertest.Recorder) bool { return len(r.Messages(bad[0])) == 1 })
		})
	}
}

// Start says all that is missing, at once.
func TestStartNamesPermissions(t *testing.T) {
	s := redistest.Start(t)
	for _, tt := range []struct {
		rules []string
		want  []string
		not   []string
	}{
		{[]string{"+@all", "-zadd", "-hset", "~*", "&*"}, []string{"+zadd", "+hset"}, []string{"+get", "~", "&"}},
		{[]string{"+@all", "~hubkit:{*", "&*"}, []string{"~hubkit:nodes", "~hubkit:probe:"}, []string{"+"}},
		{[]string{"+@all", "~*", "&hubkit:{*", "&hubkit:probe:*"}, []string{"&hubkit:bus", "&hubkit:bus:node"}, []string{"+", "~"}},
		{[]string{"+@all", "-unsubscribe", "-evalsha", "~*", "&*"}, []string{"+unsubscribe", "+evalsha"}, []string{"+eval ", "~", "&"}},
	} {
		s.Do(append([]string{"ACL", "SETUSER", "hub", "reset", "on", ">pw"}, tt.rules...)...)
		b := newBroker(t, []string{s.Addr()}, append(quick(t), redis.WithAuth("hub", "pw"))...)
		err := b.Start(t.Context(), "node", brokertest.NewRecorder())
		if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%v: %v, want ErrUnavailable and NOPERM", tt.rules, err)
			continue
		}
		_, lacks, _ := strings.Cut(err.Error(), "it lacks")
		for _, w := range tt.want {
			if !strings.Contains(lacks, w) {
				t.Errorf("%v: %v, want %s", tt.rules, err, w)
			}
		}
		for _, n := range tt.not {
			if strings.Contains(lacks, n) {
				t.Errorf("%v: %v, and %s is not missing", tt.rules, err, n)
			}
		}
	}
}

// documentedACL is what docs/redis.md says that the user needs.
func documentedACL(t *testing.T, more ...string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```\n(ACL SETUSER .*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/redis.md has no ACL any more")
	}
	return append(strings.Fields(strings.Replace(string(block[1]), "PASSWORD", "pw", 1)), more...)
}

// The permissions that the documentation gives are enough for all that a broker does.
func TestConformanceDocumentedACL(t *testing.T) {
	s := redistest.Start(t)
	s.Do(documentedACL(t)...)
	brokertest.Run(t, func(testing.TB) brokertest.World {
		return world([]string{s.Addr()}, func(testing.TB) { s.Forget(); s.Do(documentedACL(t)...) }, redis.WithAuth("hubkit", "pw"))
	})
}

func TestDocumentedACLElsewhere(t *testing.T) {
	c := redistest.StartCluster(t, false)
	for _, s := range c.Servers {
		s.Do(documentedACL(t, "+spublish", "+ssubscribe", "+sunsubscribe", "+cluster|slots", "+asking")...)
	}
	b, rec := start(t, c.Addrs(), append(quick(t), redis.WithAuth("hubkit", "pw"))...)
	subscribe(t, b, "room")
	l := startLoad(t, b, "room")
	l.more(20)
	to := c.Servers[0]
	if to == c.Owner("hubkit:{room}") {
		to = c.Servers[1]
	}
	c.Move("hubkit:{room}", to)
	l.more(20)
	l.complete(rec, false)

	s := redistest.StartSentinels(t)
	s.Master().Do(documentedACL(t, "+role", "+select")...)
	talk(t, s.Addrs()[0], redis.WithSentinel(redistest.MasterName), redis.WithAuth("hubkit", "pw"), redis.WithDatabase(2))
}

// A user that may not ask what cluster there is does not make the broker take a cluster for one server.
func TestClusterIsNotTakenForOneServer(t *testing.T) {
	c := redistest.StartCluster(t, false)
	for _, s := range c.Servers {
		s.Do(documentedACL(t, "+spublish", "+ssubscribe", "+sunsubscribe")...)
	}
	b := newBroker(t, c.Addrs()[:1], append(quick(t), redis.WithAuth("hubkit", "pw"))...)
	if err := b.Start(t.Context(), "node", brokertest.NewRecorder()); !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "cluster|slots") {
		t.Errorf("Start: %v, want ErrUnavailable, and +cluster|slots", err)
	}
}

// Applications with one prefix in different databases do not hear each other, and those in one do.
func TestDatabasesApart(t *testing.T) {
	s := redistest.Start(t)
	b0, rec0 := start(t, []string{s.Addr()})
	b3, rec3 := start(t, []string{s.Addr()}, redis.WithDatabase(3))
	c3, _ := start(t, []string{s.Addr()}, redis.WithDatabase(3))
	subscribe(t, b0, "room")
	subscribe(t, b3, "room")
	for _, b := range []*redis.Broker{b0, c3} {
		for i := range 3 {
			publish(t, b, "room", broker.Publication{Data: fmt.Append(nil, i), Retention: kept})
			publish(t, b, "room", broker.Publication{Data: fmt.Append(nil, i)})
		}
		if err := b.Broadcast(t.Context(), []byte("all")); err != nil {
			t.Error(err)
		}
		if err := b.Enter(t.Context(), "room", broker.Member{Conn: "c"}); err != nil {
			t.Error(err)
		}
	}
	s.Do("PUBLISH", "hubkit:{room}", `"zero"`)
	s.Do("PUBLISH", "hubkit:{room}@3", `"three"`)
	for name, tt := range map[string]struct {
		rec  *brokertest.Recorder
		last string
	}{"database 0": {rec0, `"zero"`}, "database 3": {rec3, `"three"`}} {
		wait(t, tt.rec, "all messages of "+name, func(r *brokertest.Recorder) bool {
			m := r.Messages("room")
			return len(m) > 0 && string(m[len(m)-1].Data) == tt.last
		})
		wait(t, tt.rec, "the command of "+name, func(r *brokertest.Recorder) bool { return len(r.Commands()) > 0 })
		if m, c := len(tt.rec.Messages("room")), len(tt.rec.Commands()); m != 7 || c != 1 {
			t.Errorf("%s: %d messages and %d commands, want 7 and 1", name, m, c)
		}
		joined := 0
		for _, e := range tt.rec.Events("room") {
			if e.Member != nil {
				joined++
			}
			if e.Gap != nil {
				t.Errorf("%s: a gap", name)
			}
		}
		if joined != 1 {
			t.Errorf("%s: %d members came, want 1", name, joined)
		}
	}
}

// What somebody writes into channels that is no message reaches nobody, is counted, and costs neither the room nor the
// connection.
func TestGarbageInChannels(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, brisk(t)...)
	subscribe(t, b, "room")
	publish(t, b, "room", broker.Publication{Data: []byte("first"), Retention: kept})
	garbage := []string{
		"", "text", "{", "\"\xff\"", "{\"a\":\"\xc3\x28\"}", "\xef\xbb\xbf1", "\x00", "\x01", "\x01\x02\xff\xff\xff\xff", "\x02short",
		"\x02" + strings.Repeat("\x00", 60), "\x03", "\x03{}", "\x03{\"conn\":\"c\",\"info\":\"\xff\"}", "\x04[]", "\x05\x00\x01a", "\x7f", "\xff",
	}
	for _, g := range garbage {
		s.Do("PUBLISH", "hubkit:{room}", g)
	}
	for _, g := range []string{"", "x", "\x05", "\x05\xff\xffa", "{}"} {
		s.Do("PUBLISH", "hubkit:bus", g)
		garbage = append(garbage, g)
	}
	s.Do("PUBLISH", "hubkit:{room}", "\x02\x00"+strings.Repeat("\x7f", 36)+"of another time") // of no history
	s.Do("PUBLISH", "hubkit:{room}", `{"plain":1}`)
	publish(t, b, "room", broker.Publication{Data: []byte("last"), Retention: kept})
	wait(t, rec, "the last message", func(r *brokertest.Recorder) bool {
		m := r.Messages("room")
		return len(m) > 0 && string(m[len(m)-1].Data) == "last"
	})
	var got []string
	for _, e := range rec.Events("room") {
		switch {
		case e.Gap != nil || e.Member != nil:
			t.Errorf("event %+v", e)
		default:
			got = append(got, string(e.Message.Data))
		}
	}
	if want := []string{"first", `{"plain":1}`, "last"}; !slices.Equal(got, want) {
		t.Errorf("messages %q, want %q", got, want)
	}
	if st := b.Stats(); st.Invalid != int64(len(garbage)) || st.Reconnects != 0 {
		t.Errorf("%+v, want %d invalid and no reconnects", st, len(garbage))
	}
	if st := rec.States(); len(st) > 0 || len(rec.Commands()) > 0 {
		t.Errorf("states %v, commands %v, want none", st, rec.Commands())
	}

	// One bad entry in a list is left out, and a list that is none is made anew.
	s.Do("HSET", "hubkit:nodes", "odd", "no time", "bad", "9999999999999 {")
	if nodes, err := b.Nodes(t.Context()); err != nil || len(nodes) != 1 {
		t.Errorf("Nodes: %+v, %v, want this one", nodes, err)
	}
	s.Do("SET", "hubkit:nodes", "x")
	eventually(t, "the list of nodes", func() bool {
		b.Announce(broker.NodeInfo{})
		nodes, err := b.Nodes(t.Context())
		return err == nil && len(nodes) == 1
	})
}
