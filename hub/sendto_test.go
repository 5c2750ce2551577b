package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// targets make a target of each kind, which selects a connection of "ada" in the room "meant".
var targets = map[string]func(c *hub.Conn) hub.Target{
	"connection": func(c *hub.Conn) hub.Target { return hub.ByConn(c.ID()) },
	"session":    func(c *hub.Conn) hub.Target { return hub.BySession(c.Session()) },
	"user":       func(c *hub.Conn) hub.Target { return hub.ByUser(c.Identity().User) },
	"room":       func(*hub.Conn) hub.Target { return hub.ByRoom("meant") },
}

// nobody are targets that select no connection.
func nobody() []hub.Target {
	return []hub.Target{
		{}, hub.ByUser(""), hub.BySession(""), hub.ByConn(""), hub.ByRoom(""),
		hub.ByUser("carol"), hub.BySession("none"), hub.ByConn("n1-none-1"), hub.ByConn("none"), hub.ByRoom("none"),
	}
}

func (s *server) sendTo(t testing.TB, whose hub.Target, data string) {
	t.Helper()
	if err := s.SendTo(t.Context(), whose, []byte(data)); err != nil {
		t.Errorf("SendTo: %v", err)
	}
}

// TestSendTo: on every transport and in every codec, those that are meant get what is sent, in order, and nobody else does.
func TestSendTo(t *testing.T) {
	overAll(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser), hub.WithOpenRooms("*"))
		conns := s.watchConns()
		meant := s.dialAs(t, "ada")
		c := receive(t, "OnConnect", conns)
		bob, anonymous := s.dialAs(t, "bob"), s.dial(t)
		for cl, room := range map[*client]string{meant: "meant", bob: "other"} {
			if r := cl.ask(`{"op":"join","id":1,"room":"` + room + `"}`); r.Op != "ok" {
				t.Fatalf("%+v", r)
			}
		}
		for name, target := range targets {
			t.Run(name, func(t *testing.T) {
				for i := range 3 {
					s.sendTo(t, target(c), fmt.Sprintf(`{"n": %d}`, i))
				}
				for i := range 3 {
					meant.expect(fmt.Sprintf(`{"op":"message","data":{"n": %d}}`, i))
				}
			})
		}
		for _, none := range nobody() {
			s.sendTo(t, none, `"to nobody"`)
		}
		for _, cl := range []*client{meant, bob, anonymous} {
			cl.alive()
		}
		for _, none := range append(nobody(), hub.ByUser("ada")) {
			if err := s.SendTo(t.Context(), none, []byte(`{"a":`)); !errors.Is(err, hub.ErrData) {
				t.Errorf("broken data: %v, want ErrData", err)
			}
		}
		meant.alive()
	})
}

// TestSendToOverNodes: whichever node is told, and wherever those are that are meant, each of them gets it once.
func TestSendToOverNodes(t *testing.T) {
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			nodes := newTown().start(t, 3, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser))
			for _, other := range nodes {
				for _, cbor := range []bool{false, true} {
					other.cbor = cbor
					meant, bystander := other.dialAs(t, "ada"), other.dialAs(t, "bob")
					if r := meant.ask(`{"op":"join","id":1,"room":"meant"}`); r.Op != "ok" {
						t.Fatalf("%+v", r)
					}
					whose := target(slices.Collect(other.ConnsOf("ada"))[0])
					for i, s := range nodes {
						s.sendTo(t, whose, strconv.Itoa(i))
						meant.expect(`{"op":"message","data":` + strconv.Itoa(i) + `}`)
						for _, none := range nobody() {
							s.sendTo(t, none, `"to nobody"`)
						}
					}
					meant.alive()
					bystander.alive()
					_, _ = meant.ws.Close(), bystander.ws.Close()
					await(t, "all are gone", func() bool { return other.Stats().Conns == 0 })
				}
			}
			for _, s := range nodes {
				if n := s.Stats().IgnoredCommands; n != 0 {
					t.Errorf("%s has ignored %d commands", s.Node(), n)
				}
			}
		})
	}
}

// TestSendToOlderNode: a node of the version before serves users. It ignores what is for others, and counts it.
func TestSendToOlderNode(t *testing.T) {
	x := newTown()
	nodes := x.start(t, 2, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser))
	x.forget("n2", "send_target")
	here, there := nodes[0].dialAs(t, "ada"), nodes[1].dialAs(t, "ada")
	there.ask(`{"op":"join","id":1,"room":"meant"}`)
	c := slices.Collect(nodes[1].ConnsOf("ada"))[0]
	for _, target := range targets {
		nodes[0].sendTo(t, target(c), `1`)
	}
	for _, cl := range []*client{here, there} {
		cl.expect(`{"op":"message","data":1}`) // by user
		cl.alive()
	}
	if n := nodes[1].Stats().IgnoredCommands; n != 3 {
		t.Errorf("n2 has ignored %d commands, want 3", n)
	}
}

// TestSendToForeignCommand: what an older node tells is carried out. Data that would break a client's frame is not sent.
func TestSendToForeignCommand(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b), hub.WithAuthenticator(asUser))
	ada := s.dialAs(t, "ada")
	for _, payload := range []string{
		`{"do":"send","user":"ada","data":"eyJhIjo="}`, // {"a":
		`{"do":"send_target","conn":"` + ada.id + `","data":""}`,
		`{"do":"send","user":"","data":"MQ=="}`,
		`{"do":"send_target","data":"MQ=="}`,
		`{"do":"send","user":"ada","data":"Mg=="}`,
		`{"do":"send_target","conn":"` + ada.id + `","data":"Mw=="}`,
	} {
		b.receiver.Command("elsewhere", []byte(payload))
	}
	ada.expect(`{"op":"message","data":2}`, `{"op":"message","data":3}`)
	ada.alive()
}

// TestSendToDuringOutage: this node's connections are served without the broker, and the caller hears of the other nodes.
func TestSendToDuringOutage(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b), hub.WithAuthenticator(asUser), hub.WithOpenRooms("*"))
	conns := s.watchConns()
	ada := s.dialAs(t, "ada")
	c := receive(t, "OnConnect", conns)
	ada.ask(`{"op":"join","id":1,"room":"meant"}`)
	b.lose()
	ada.expect(`{"op":"stale"}`)
	for name, target := range targets {
		err := s.SendTo(t.Context(), target(c), []byte(strconv.Quote(name)))
		if name == "connection" { // which no other node can have
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("%s: %v, want that the broker is unavailable", name, err)
		}
		ada.expect(`{"op":"message","data":` + strconv.Quote(name) + `}`)
	}
	if err := s.SendTo(t.Context(), hub.ByConn("n2-1-1"), []byte("1")); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("a connection of another node: %v, want that the broker is unavailable", err)
	}
	ada.alive()
}

// TestSendToBeforeTheWelcome: whoever is on the way in gets nothing by any target, and then the welcome first.
func TestSendToBeforeTheWelcome(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser))
		cl := s.connect(t, http.Header{"X-User": {"ada"}}, protocol.Subprotocol)
		await(t, "she is found", func() bool { return s.Stats().Users == 1 })
		c := slices.Collect(s.ConnsOf("ada"))[0]
		for _, target := range targets {
			s.sendTo(t, target(c), `1`)
		}
		cl.write(`{"op":"hello"}`)
		cl.welcomed()
		s.sendTo(t, hub.ByConn(c.ID()), `2`)
		cl.expect(`{"op":"message","data":2}`)
	})
}

// TestSendToRace: clients come and go while they are sent to. Each is welcomed first, and from its welcome on it gets all that
// is sent to it, once and in order.
func TestSendToRace(t *testing.T) {
	const workers, rounds = 4, 60
	overAll(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser), hub.WithOpenRooms("*"), hub.WithoutRateLimit())
		stop, noisy := context.WithCancel(t.Context())
		var noise sync.WaitGroup
		var left [workers]atomic.Int64 // noise that a connection still gets: a backlog has an end
		for who := range workers {
			noise.Go(func() { // that finds connections in any state
				user := strconv.Itoa(who)
				for stop.Err() == nil {
					if left[who].Add(-1) < 0 {
						runtime.Gosched()
						continue
					}
					for _, whose := range []hub.Target{hub.ByUser(user), hub.ByRoom("of " + user), hub.BySession("none")} {
						s.sendTo(t, whose, `"noise"`)
					}
				}
			})
		}
		var wg sync.WaitGroup
		for who := range workers {
			user := strconv.Itoa(who)
			wg.Go(func() {
				for round := range rounds {
					left[who].Store(50)
					as := user
					if round%2 == 0 {
						as = "" // nobody waits with the welcome of an anonymous one
					}
					cl := s.dialAs(t, as) // fails if anything comes before the welcome
					for i := range 3 {
						s.sendTo(t, hub.ByConn(cl.id), strconv.Itoa(i))
					}
					cl.write(`{"op":"join","id":1,"room":"of ` + user + `"}`)
					for next := 0; next < 3; {
						switch r := cl.read(); {
						case string(r.Data) == strconv.Itoa(next):
							next++
						case r.Op != "ok" && string(r.Data) != `"noise"`:
							t.Errorf("round %d: got %+v, want message %d", round, r, next)
							return
						}
					}
					if round%3 == 0 {
						if _, err := s.Disconnect(t.Context(), hub.ByConn(cl.id), nil); err != nil {
							t.Errorf("Disconnect: %v", err)
						}
					}
					_ = cl.ws.Close() // while more is sent
				}
			})
		}
		wg.Wait()
		noisy()
		noise.Wait()
		await(t, "all are gone", func() bool { return s.Stats().Conns == 0 })
	})
}
