package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestKeysBelongToTheirUser: nobody takes another's idempotency key, and the service's least of all. Everybody hears all
// that was said, and is told of their own message.
func TestKeysBelongToTheirUser(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.DefaultHistory()), hub.WithAuthenticator(asUser))
		for _, room := range []string{"plain", "past:a"} {
			reader := s.dial(t)
			reader.ask(`{"op":"join","id":1,"room":"` + room + `"}`)
			said := 0
			say := func(who *client, duplicate bool) (offset uint64) {
				t.Helper()
				if !duplicate {
					said++
				}
				r := who.ask(fmt.Sprintf(`{"op":"publish","id":1,"room":%q,"data":%d,"key":"order-7-shipped"}`, room, said))
				if r.Op != "ok" {
					t.Fatalf("%+v", r)
				}
				return r.Offset
			}
			own := func(offset uint64) {
				t.Helper()
				if want := uint64(said); room == "past:a" && offset != want {
					t.Errorf("told of offset %d, want %d", offset, want)
				}
			}
			mallory, alice := s.dialAs(t, "mallory"), s.dialAs(t, "alice")
			own(say(mallory, false))
			own(say(alice, false))
			own(say(s.dialAs(t, "alice"), true)) // another device of hers
			own(say(s.dialAs(t, "session:"+mallory.id), false))
			anonymous := s.dial(t)
			own(say(anonymous, false))
			own(say(anonymous, true))
			own(say(s.dial(t), false))
			for _, duplicate := range []bool{false, true} {
				if !duplicate {
					said++
				}
				res, err := s.Publish(t.Context(), room, fmt.Append(nil, said), hub.IdempotencyKey("order-7-shipped", 0))
				if err != nil || res.Duplicate != duplicate {
					t.Errorf("the service: %+v, %v, want duplicate %v", res, err, duplicate)
				}
				own(res.Position.Offset)
			}
			for n := 1; n <= said; n++ {
				if r := reader.read(); string(r.Data) != fmt.Sprint(n) {
					t.Fatalf("heard %+v, want %d of %d", r, n, said)
				}
			}
			reader.alive()
		}
	})
}

// TestKeysOfAnonymousSession: an anonymous client that comes back is known by its session, which nobody can guess from what
// others are shown of it.
func TestKeysOfAnonymousSession(t *testing.T) {
	for _, node := range []string{"n1", strings.Repeat("ö", 120)} {
		t.Run(node[:2], func(t *testing.T) { keysOfAnonymousSession(t, node) })
	}
}

func keysOfAnonymousSession(t *testing.T, node string) {
	s := start(t, hub.WithNode(node), hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.DefaultHistory()))
	const publish = `{"op":"publish","id":1,"room":"past:a","data":1,"key":"k"}`
	first := s.connect(t, nil, protocol.Subprotocol)
	first.write(`{"op":"hello"}`)
	session := first.welcomed().Session
	stored := first.ask(publish).Offset
	_ = first.ws.Close()

	back := func(session string) uint64 {
		t.Helper()
		c := s.dialV1(t, `{"op":"hello","session":"`+session+`"}`)
		r := c.ask(publish)
		if r.Op != "ok" {
			t.Fatalf("%+v", r)
		}
		return r.Offset
	}
	if got := back(session); got != stored {
		t.Errorf("a retry was stored at %d, the first time at %d", got, stored)
	}
	for i, guess := range []string{first.id, session[:len(session)-1] + "_", session + "x", ""} {
		if got, want := back(guess), stored+uint64(i)+1; got != want {
			t.Errorf("session %q: told of offset %d, want %d", guess, got, want)
		}
	}
	conns := s.watchConns()
	s.dialV1(t, `{"op":"hello","session":"`+session+`"}`)
	if c := receive(t, "the connection", conns); c.Session() == session || !strings.HasPrefix(first.id, c.Session()) {
		t.Errorf("session %q is shown, want %q without what must not be known", c.Session(), first.id)
	}
}
