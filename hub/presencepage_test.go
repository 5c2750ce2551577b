package hub_test

import (
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// presence asks and returns the data of the answer.
func (c *client) presence(fields string) (p protocol.Presence, raw string) {
	c.t.Helper()
	c.write(`{"op":"presence","id":77,"room":"here"` + fields + `}`)
	for {
		r := c.read()
		if r.ID != 77 {
			continue // of a member that came
		}
		p, err := protocol.ParsePresence(r.Data)
		if err != nil || r.Op != "ok" {
			c.t.Fatalf("answered %+v, %v", r, err)
		}
		return p, string(r.Data)
	}
}

// TestPresencePages: the numbers alone, and the members page by page.
func TestPresencePages(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithRooms("here", hub.Presence()))
	var last *client
	for i := range 11 {
		user := ""
		if i > 0 {
			user = fmt.Sprint("user ", i%4)
		}
		last = s.dialAs(t, user)
		last.ask(`{"op":"join","id":1,"room":"here"}`)
	}
	if _, raw := last.presence(`,"count":true`); raw != `{"count":11,"users":4}` {
		t.Errorf("the numbers are %s", raw)
	}
	all, _ := last.presence(``)
	if len(all.Members) != 11 || all.Count != 11 || all.Users != 4 || all.Next != "" {
		t.Errorf("all are %+v", all)
	}
	for _, limit := range []int{1, 3, 10, 11, 12, 5000} {
		var got []protocol.Member
		for after := ""; ; {
			field := ""
			if after != "" {
				field = fmt.Sprintf(`,"after":%q`, after)
			}
			p, _ := last.presence(fmt.Sprintf(`,"limit":%d%s`, limit, field))
			if p.Count != 11 || p.Users != 4 || len(p.Members) > limit || len(p.Members) == 0 {
				t.Fatalf("limit %d after %q: %+v", limit, after, p)
			}
			got = append(got, p.Members...)
			if after = p.Next; after == "" {
				break
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(all.Members) {
			t.Errorf("limit %d: %v, want %v", limit, got, all.Members)
		}
	}
	if p, _ := last.presence(`,"after":"~"`); len(p.Members) != 0 || p.Next != "" || p.Count != 11 {
		t.Errorf("after the last: %+v", p)
	}
	last.write(`{"op":"presence","id":5,"room":"here","after":"\u0000"}`)
	r := last.read()
	for r.ID != 5 { // that it came may be told late
		r = last.read()
	}
	if r.Code != "bad_request" {
		t.Errorf("after what is no cursor: %+v", r)
	}
}

// TestPresenceCounts: above a size members are told only how many they are, and again one by one when they are few enough.
func TestPresenceCounts(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence(hub.PresenceCounts(3))))
	first := s.dial(t)
	first.ask(`{"op":"join","id":1,"room":"here"}`)
	for range 3 {
		s.dial(t).ask(`{"op":"join","id":1,"room":"here"}`)
	}
	for told := 0; ; {
		switch r := first.read(); r.Op {
		case "join":
			if told++; told > 3 {
				t.Fatal("four are told one by one")
			}
			continue
		case "presence":
			if got := string(r.Data); got != `{"count":4}` {
				t.Errorf("told of %s", got)
			}
		default:
			t.Fatalf("got %+v", r)
		}
		break
	}
	s.dial(t).ask(`{"op":"join","id":1,"room":"here"}`)
	if p, _ := first.presence(`,"count":true`); p.Count != 5 {
		t.Errorf("%d members, want 5", p.Count)
	}
}
