package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestSSE: a stream has its rooms' messages, with ids, and is a connection like any other.
func TestSSE(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithCompression(1, 1),
			hub.WithRooms("kept", hub.DefaultHistory(), hub.Presence()))
		s := p.server
		header := encoding(compressed)
		header.Set("X-User", "ada")
		e := p.open("room=plain&room=kept", header)
		if z := e.header.Get("Content-Encoding"); compressed != (z == "gzip") {
			t.Errorf("Content-Encoding %q", z)
		}
		welcome := e.named("welcome").frame(t)
		if string(welcome.Node) != "n1" || len(welcome.Session) == 0 || e.retry < 1000 || e.retry > 3000 {
			t.Errorf("welcome %+v, retry %d", welcome, e.retry)
		}
		e.expect("joined", `{"op":"joined","room":"plain"}`)
		joined := e.named("joined")
		epoch := joined.frame(t).Position.Epoch
		if want := "1,kept=" + string(epoch) + ".0"; joined.id != want {
			t.Errorf("id %q, want %q", joined.id, want)
		}
		if got := s.Stats(); got.Conns != 1 || got.Accepted != 1 {
			t.Errorf("%d connections, %d accepted", got.Conns, got.Accepted)
		}
		members, err := s.Presence(t.Context(), "kept", 0)
		if err != nil || members.Count != 1 || members.Members[0].User != "ada" {
			t.Errorf("presence: %+v, %v", members, err)
		}
		long := `{"text":"` + strings.Repeat("lines and lines ", 30) + `",` + "\n\r\n" + `"n": 1}`
		for i, room := range []string{"plain", "kept", "kept"} {
			if _, err := s.Publish(t.Context(), room, []byte(long)); err != nil {
				t.Fatal(err)
			}
			m := e.next()
			for m.name == "join" {
				m = e.next()
			}
			f := m.frame(t)
			if m.name != "message" || string(f.Room) != room || string(f.Data) != strings.NewReplacer("\n", " ", "\r", " ").Replace(long) {
				t.Errorf("message %s", m)
			}
			if want := fmt.Sprintf("1,kept=%s.%d", epoch, i); m.id != want {
				t.Errorf("id %q, want %q", m.id, want)
			}
		}
		if err := s.SendUser(t.Context(), "ada", []byte(`"you"`)); err != nil {
			t.Fatal(err)
		}
		e.expect("message", `{"op":"message","data":"you"}`)
		res, err := s.Disconnect(t.Context(), hub.ByUser("ada"), nil)
		if err != nil || res.Total() != 1 {
			t.Errorf("disconnected %+v, %v", res, err)
		}
		e.closes(protocol.CloseDisconnected)
		if e.retry != 24*60*60*1000 {
			t.Errorf("retry %d", e.retry)
		}
		await(t, "the connection is gone", func() bool { return s.Stats().Conns == 0 })
	})
}

// TestSSELeaves: the hub notices that a client has left.
func TestSSELeaves(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		left := make(chan error, 1)
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1))
		p.server.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { left <- err })
		e := p.open("room=a", encoding(compressed))
		e.named("joined")
		_ = e.release()
		var why *hub.CloseError
		if err := receive(t, "OnDisconnect", left); !errors.As(err, &why) || why.Code != protocol.CloseAbnormal {
			t.Errorf("left with %v", err)
		}
		await(t, "nobody is left", func() bool { return p.server.Stats().Conns == 0 })
	})
}

// TestSSEResumes: a stream goes on after the last id that its client has, in all its rooms.
func TestSSEResumes(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1), hub.WithRooms("kept:*", hub.DefaultHistory()))
		publish := func(room string, n int) {
			t.Helper()
			if _, err := p.server.Publish(t.Context(), room, []byte(strconv.Itoa(n))); err != nil {
				t.Fatal(err)
			}
		}
		query := "room=" + url.QueryEscape("kept:ä,=%.") + "&room=kept:b&room=kept:c"
		id := ""
		var got [3][]int
		rooms := []string{"kept:ä,=%.", "kept:b", "kept:c"}
		take := func(e *eventStream, n int) {
			t.Helper()
			for range n {
				f := e.named("message").frame(t)
				for i, room := range rooms {
					if string(f.Room) == room {
						v, err := strconv.Atoi(string(f.Data))
						if err != nil {
							t.Fatal(err)
						}
						got[i] = append(got[i], v)
					}
				}
			}
		}
		const rounds = 6
		for round := range rounds {
			header := encoding(compressed)
			ask := query
			if round%2 == 0 {
				header.Set("Last-Event-ID", id)
			} else {
				ask += "&last_event_id=" + url.QueryEscape(id)
			}
			e := p.open(ask, header)
			missed := 0
			if round > 0 {
				missed = 3
			}
			e.named("welcome")
			for joined := 0; joined < len(rooms) || missed > 0; {
				ev := e.next()
				switch ev.name {
				case "joined":
					joined++
				case "message":
					missed--
					f := ev.frame(t)
					for i, room := range rooms {
						if string(f.Room) == room {
							v, _ := strconv.Atoi(string(f.Data))
							got[i] = append(got[i], v)
						}
					}
				default:
					t.Fatal(ev)
				}
			}
			for i, room := range rooms {
				publish(room, 2*round)
				_ = i
			}
			take(e, len(rooms))
			id = e.lastID
			_ = e.release()
			await(t, "the client is gone", func() bool { return p.server.Stats().Conns == 0 })
			for _, room := range rooms {
				publish(room, 2*round+1)
			}
		}
		for i := range rooms {
			for n, v := range got[i] {
				if n != v {
					t.Fatalf("%s: %v", rooms[i], got[i])
				}
			}
			if len(got[i]) != 2*rounds-1 {
				t.Errorf("%s: %v", rooms[i], got[i])
			}
		}
	})
}
