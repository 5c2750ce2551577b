package cluster_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/redistest"
)

// The same hubs on a Redis Cluster, where rooms are spread over the masters and use sharded channels only.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, false)
	a, b := startNode(t, "a", c.Addrs()), startNode(t, "b", c.Addrs()[1:])
	ada, bob := dial(t, a, "ada"), dial(t, b, "bob")
	var rooms []string
	owners := make(map[*redistest.Server]bool)
	for i := range 12 {
		room := fmt.Sprint([]string{"plain", "past", "both"}[i%3], ":", i)
		rooms = append(rooms, room)
		ada.join(room)
		bob.join(room)
		channel := "hubkit:{" + room + "}"
		owner := c.Owner(channel)
		owners[owner] = true
		if s := owner.Do("PUBSUB", "SHARDNUMSUB", channel); s != channel+"\n2" {
			t.Errorf("sharded subscribers %q, want 2", s)
		}
	}
	if len(owners) != 3 {
		t.Errorf("rooms on %d masters, want all 3", len(owners))
	}
	for i := range 10 {
		for _, room := range rooms {
			[]*node{a, b}[i%2].publish(room, fmt.Sprint(i))
		}
	}
	for _, p := range []*peer{ada, bob} {
		for _, room := range rooms {
			for i, f := range p.awaitN(10, "the messages", message(room)) {
				if string(f.Data) != fmt.Sprint(i) || !strings.HasPrefix(room, "plain") && f.Offset != uint64(i+1) {
					t.Errorf("message %d in %s is %v", i, room, f)
				}
			}
		}
	}
	for _, s := range c.Servers {
		if all := s.Do("PUBSUB", "CHANNELS"); all != "" {
			t.Errorf("%s has channels that go to all servers: %q", s.Addr(), all)
		}
	}
	a.awaitUsers("both:2", "ada", "bob")
	must[any](a, "/send", `"hello"`, "user", "bob")
	bob.await("what was sent to the user", saying("", `"hello"`))
	for _, ans := range must[[]answer](b, "/survey", `{}`, "within", "20s") {
		if ans.Err != "" {
			t.Errorf("survey: %+v", ans)
		}
	}
	// A slot moves under a room with members.
	key := "hubkit:{" + rooms[1] + "}"
	from := c.Owner(key)
	for to := range owners {
		if to != from {
			c.Move(key, to)
			break
		}
	}
	// Publishing may fail in the moment; nothing accepted is lost.
	eventually(t, "a publication after the move", func() bool {
		return a.ask(nil, "/publish", `"moved"`, "room", rooms[1], "key", "moved") == nil
	})
	for _, p := range []*peer{ada, bob} {
		if f := p.await("a message after the move", saying(rooms[1], `"moved"`)); f.Offset != 11 {
			t.Errorf("%v, want offset 11", f)
		}
	}
}
