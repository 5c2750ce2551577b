package protocol_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// The hub hands members of the broker to the encoders without copying them.
var _ = protocol.Member(broker.Member{})

func TestPresence(t *testing.T) {
	for _, tt := range []struct {
		in   protocol.Presence
		want string
	}{
		{protocol.Presence{Members: []protocol.Member{}}, `{"count":0,"members":[]}`},
		{protocol.Presence{Count: 9, Members: []protocol.Member{{Conn: "a"}, {Conn: "b", User: "u", Info: []byte("1")}}},
			`{"count":9,"members":[{"conn":"a"},{"conn":"b","user":"u","info":1}]}`},
		{protocol.Presence{Count: 9, Users: 4, Members: []protocol.Member{{Conn: "a"}}, Next: "a"},
			`{"count":9,"users":4,"members":[{"conn":"a"}],"next":"a"}`},
	} {
		got := protocol.AppendPresence(nil, tt.in)
		if string(got) != tt.want {
			t.Errorf("wrote %s, want %s", got, tt.want)
		}
		back, err := protocol.ParsePresence(got)
		if err != nil || !reflect.DeepEqual(back, tt.in) {
			t.Errorf("read back %+v, %v, want %+v", back, err, tt.in)
		}
	}
}

// A room is read page by page to its end, whatever the pages hold: none is larger than it may be unless it has a single
// member, and each member comes once.
func TestPresencePages(t *testing.T) {
	var all []protocol.Member
	for i := range 40 {
		all = append(all, protocol.Member{Conn: fmt.Sprintf("c%02d", i), Info: []byte(strconv.Quote(strings.Repeat("x", i*i%97)))})
	}
	for limit := range 400 {
		var got []protocol.Member
		for after := ""; ; {
			rest := all[len(got):]
			p := protocol.Presence{Count: len(all), Members: rest}
			if len(rest) > 7 {
				p.Members, p.Next = rest[:7], rest[6].Conn
			}
			data := protocol.AppendPresencePage(nil, p, limit)
			page, err := protocol.ParsePresence(data)
			if err != nil || page.Count != len(all) || len(page.Members) == 0 || len(data) > limit && len(page.Members) > 1 {
				t.Fatalf("limit %d, after %q: %s, %v", limit, after, data, err)
			}
			if got = append(got, page.Members...); page.Next == "" {
				break
			}
			if after = page.Next; after != got[len(got)-1].Conn {
				t.Fatalf("limit %d: next %q after %q", limit, after, got[len(got)-1].Conn)
			}
		}
		if !reflect.DeepEqual(got, all) {
			t.Fatalf("limit %d: %d members, want %d", limit, len(got), len(all))
		}
	}
}

func TestPresenceCount(t *testing.T) {
	for users, want := range map[int]string{0: `{"count":5}`, 3: `{"count":5,"users":3}`} {
		got := protocol.AppendPresenceCount(nil, 5, users)
		p, err := protocol.ParsePresence(got)
		if string(got) != want || err != nil || !reflect.DeepEqual(p, protocol.Presence{Count: 5, Users: users}) {
			t.Errorf("wrote %s, want %s; read %+v, %v", got, want, p, err)
		}
	}
}

func TestPresenceErrors(t *testing.T) {
	for _, in := range []string{"", "5", `{"conn":5,"count":"x"}`} {
		if p, err := protocol.ParsePresence([]byte(in)); err == nil || !reflect.DeepEqual(p, protocol.Presence{}) {
			t.Errorf("ParsePresence(%q) = %+v, %v", in, p, err)
		}
		if m, err := protocol.ParseMember([]byte(in)); err == nil || !reflect.DeepEqual(m, protocol.Member{}) {
			t.Errorf("ParseMember(%q) = %+v, %v", in, m, err)
		}
	}
}

// The info of a member may be as deep as any value, and still be read inside a presence list.
func TestPresenceOfTheDeepestInfo(t *testing.T) {
	info := []byte(strings.Repeat("[", protocol.MaxDepth) + strings.Repeat("]", protocol.MaxDepth))
	if !protocol.Valid(info) {
		t.Fatal("not valid")
	}
	data := protocol.AppendPresence(nil, protocol.Presence{Count: 1, Members: []protocol.Member{{Conn: "c", Info: info}}})
	var e protocol.Event
	if err := e.Decode(protocol.AppendOK(nil, protocol.OK{ID: 1, Data: data})); err != nil {
		t.Fatal(err)
	}
}
