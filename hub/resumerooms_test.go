package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// helloWithRooms is a hello that resumes rooms r0, r1, …
func helloWithRooms(n int) string {
	rooms := make([]string, n)
	for i := range rooms {
		rooms[i] = fmt.Sprintf(`{"room":"r%d"}`, i)
	}
	return `{"op":"hello","resume":[` + strings.Join(rooms, ",") + `]}`
}

// TestMoreRoomsInResumeThanAllowed: rooms are joined in the order of resume up to the server's limit, and the others are refused. The
// connection goes on, and has place for another room once it has left one.
func TestMoreRoomsInResumeThanAllowed(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		const most, asked = 3, 6
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithMaxRooms(most))
		c := s.dialV1(t, helloWithRooms(asked))
		for i := range asked {
			r, room := c.read(), fmt.Sprintf("r%d", i)
			switch {
			case r.Room != room || r.ID != 0:
				t.Errorf("got %+v, want an answer about %s without id", r, room)
			case i < most && r.Op != "ok":
				t.Errorf("got %+v, want ok", r)
			case i >= most && (r.Op != "error" || r.Code != "too_many_rooms"):
				t.Errorf("got %+v, want too_many_rooms", r)
			}
		}
		for i := range asked {
			s.publish(t, fmt.Sprintf("r%d", i), i)
			if i < most {
				c.expect(fmt.Sprintf(`{"op":"message","room":"r%d","data":%d}`, i, i))
			}
		}
		c.alive()
		c.ask(`{"op":"leave","id":1,"room":"r0"}`)
		if r := c.ask(`{"op":"join","id":2,"room":"r5"}`); r.Op != "ok" || r.ID != 2 {
			t.Errorf("joined after another room was left: %+v", r)
		}
	})
}

// TestLongestResume: a hello may name 128 rooms. One with more is no valid hello.
func TestLongestResume(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"))
		c := s.dialV1(t, helloWithRooms(protocol.MaxResume))
		for i := range protocol.MaxResume {
			if r := c.read(); r.Op != "ok" || r.Room != fmt.Sprintf("r%d", i) {
				t.Fatalf("got %+v, want room %d", r, i)
			}
		}
		c.alive()
		d := s.connect(t, nil, protocol.Subprotocol)
		d.write(helloWithRooms(protocol.MaxResume + 1))
		d.closed(protocol.CloseHelloExpected)
		if got := s.Stats().Rooms; got != protocol.MaxResume {
			t.Errorf("%d rooms, want those of the first client alone", got)
		}
	})
}
