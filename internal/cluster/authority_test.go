package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// office is three nodes in this process, in which the test withdraws rights.
type office struct {
	t     *testing.T
	hubs  []*hub.Hub
	addrs []string

	allowed sync.Map      // users who may join rooms
	asked   chan struct{} // for each question to OnJoin
	admit   func(user string) error
}

func newOffice(t *testing.T, r *redistest.Server, opts ...redis.Option) *office {
	return newOfficeWith(t, r, nil, opts...)
}

func newOfficeWith(t *testing.T, r *redistest.Server, more []hub.Option, opts ...redis.Option) *office {
	o := &office{t: t, asked: make(chan struct{}, 100), admit: func(string) error { return nil }}
	for _, name := range []string{"a", "b", "c"} {
		b, err := redis.New([]string{r.Addr()}, append([]redis.Option{redis.WithIOTimeout(patience)}, opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		h, err := hub.New(append([]hub.Option{
			hub.WithNode(name), hub.WithBroker(b), hub.WithLogger(slog.New(slog.DiscardHandler)),
			hub.WithRooms("past*", hub.DefaultHistory()), hub.WithRooms("here*", hub.Presence()),
			hub.WithDrain(100 * time.Millisecond), hub.WithoutRateLimit(),
			hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
				user := r.URL.Query().Get("user")
				return hub.Identity{User: user}, o.admit(user)
			}),
		}, more...)...)
		if err != nil {
			t.Fatal(err)
		}
		h.OnJoin(o.onJoin)
		srv := httptest.NewServer(h)
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Errorf("node %s: %v", name, err)
			}
			srv.Close()
		})
		o.hubs = append(o.hubs, h)
		o.addrs = append(o.addrs, strings.TrimPrefix(srv.URL, "http://"))
	}
	eventually(t, "the nodes to know each other", func() bool {
		for _, h := range o.hubs {
			if nodes, err := h.Nodes(t.Context()); err != nil || len(nodes) != len(o.hubs) {
				return false
			}
		}
		return true
	})
	return o
}

func (o *office) onJoin(_ context.Context, c *hub.Conn, _ string) error {
	_, ok := o.allowed.Load(c.Identity().User)
	select {
	case o.asked <- struct{}{}:
	default:
	}
	time.Sleep(rand.N(2 * time.Millisecond)) // the answer is on its way
	if !ok {
		return hub.ErrForbidden
	}
	return nil
}

// dial connects a user to every node.
func (o *office) dial(user string) (peers []*peer) {
	for _, addr := range o.addrs {
		p := dialAddr(o.t, addr, user)
		p.await("a welcome", op("welcome"))
		peers = append(peers, p)
	}
	return peers
}

// in reports whether the client takes itself to be in a room.
func in(p *peer, room string) (is bool) {
	for _, f := range p.frames(func(f frame) bool { return f.Room == room }) {
		switch f.Op {
		case "ok", "joined":
			is = true
		case "left":
			is = false
		}
	}
	return is
}

// A right that is withdrawn while its user joins on every node is withdrawn on every node: what is published afterwards reaches
// nobody who had it.
func TestRemoveRaceOverNodes(t *testing.T) {
	t.Parallel()
	const workers, rounds = 6, 180 // of three joins each
	o := newOffice(t, redistest.Start(t))
	var undone atomic.Int64
	var wg sync.WaitGroup
	for who := range workers {
		user := strconv.Itoa(who)
		peers := o.dial(user)
		wg.Go(func() {
			for round := range rounds {
				room := []string{"plain", "past", "here"}[who%3] + user + "-" + strconv.Itoa(round)
				o.allowed.Store(user, true)
				for _, p := range peers {
					p.write(`{"op":"join","room":"%s"}`, room)
				}
				time.Sleep(rand.N(3 * time.Millisecond))
				o.allowed.Delete(user)
				h := o.hubs[round%len(o.hubs)]
				if err := h.RemoveFromRoom(t.Context(), hub.ByUser(user), room, "banned"); err != nil {
					t.Errorf("RemoveFromRoom: %v", err)
				}
				if _, err := o.hubs[rand.N(len(o.hubs))].Publish(t.Context(), room, []byte(strconv.Itoa(round))); err != nil {
					t.Errorf("Publish: %v", err)
				}
				for _, p := range peers {
					p.sync()
					if in(p, room) {
						t.Errorf("round %d: %s takes itself to be in %s:\n%s", round, user, room, p.all())
						return
					}
				}
			}
			for _, p := range peers {
				for _, f := range p.frames(op("message")) {
					t.Errorf("%s heard %v", user, f)
				}
				undone.Add(int64(len(p.frames(op("left")))))
			}
		})
	}
	wg.Wait()
	t.Logf("of %d joins %d were undone", workers*rounds*len(o.hubs), undone.Load())
}

// Redis hangs while a right is withdrawn: it is withdrawn at once on the node that was told, and the caller hears that
// the others do not know.
func TestRemoveWhileRedisHangs(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	o := newOffice(t, r, redis.WithDialTimeout(500*time.Millisecond), redis.WithIOTimeout(500*time.Millisecond))
	rooms := []string{"plain", "past", "here"}
	ada := o.dial("ada")
	for _, room := range rooms {
		insist(t, func(ctx context.Context) error { return o.hubs[1].JoinUser(ctx, "ada", room) })
		for _, p := range ada {
			p.await("joined", func(f frame) bool { return f.Op == "joined" && f.Room == room })
		}
	}
	r.Pause()
	for _, room := range rooms {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := o.hubs[0].RemoveFromRoom(ctx, hub.ByUser("ada"), room, "banned")
		cancel()
		if !errors.Is(err, broker.ErrUnavailable) && !errors.Is(err, hub.ErrNoAnswer) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("RemoveFromRoom while Redis hangs: %v", err)
		}
		ada[0].await("left", func(f frame) bool { return f.Op == "left" && f.Room == room })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	done, err := o.hubs[2].Disconnect(ctx, hub.ByUser("ada"), nil)
	if err == nil || done.Nodes["c"] != 1 {
		t.Errorf("Disconnect while Redis hangs: %+v, %v", done, err)
	}
	ada[2].closed(protocol.CloseDisconnected)
	r.Continue()
	for _, room := range rooms {
		eventually(t, "the others to be told", func() bool {
			return o.hubs[0].RemoveFromRoom(t.Context(), hub.ByUser("ada"), room, "banned") == nil
		})
	}
	// What was sent while Redis hung may have closed her other connections; if not, they have left.
	eventually(t, "the end on node b", func() bool {
		_, err := o.hubs[0].Disconnect(t.Context(), hub.ByUser("ada"), nil)
		return err == nil
	})
	for _, p := range ada[:2] {
		p.closed(protocol.CloseDisconnected)
	}
}

// Connections are closed on every node that has some, and counted; a node that does not answer is named.
func TestDisconnectOverNodes(t *testing.T) {
	t.Parallel()
	o := newOffice(t, redistest.Start(t))
	ada, bob := o.dial("ada"), o.dial("bob")
	done, err := o.hubs[1].Disconnect(t.Context(), hub.ByUser("ada"), &hub.CloseError{Code: 4321, Reason: "enough"})
	if err != nil || done.Total() != 3 || len(done.Nodes) != 3 || done.Nodes["a"] != 1 || len(done.Silent) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	for _, p := range ada {
		p.closed(4321)
	}
	id := bob[2].await("a welcome", op("welcome")).Conn
	if done, err = o.hubs[0].Disconnect(t.Context(), hub.ByConn(id), nil); err != nil || done.Total() != 1 || done.Nodes["c"] != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	bob[2].closed(protocol.CloseDisconnected)
	id = bob[1].await("a welcome", op("welcome")).Conn
	if done, err = o.hubs[0].Disconnect(t.Context(), hub.BySession(id), nil); err != nil || done.Total() != 1 || done.Nodes["b"] != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	bob[1].closed(protocol.CloseDisconnected)
	bob[0].sync()
}
