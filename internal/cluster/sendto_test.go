package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// direct picks messages to the connection itself.
func direct(data string) func(frame) bool {
	return func(f frame) bool { return f.Op == "message" && f.Room == "" && string(f.Data) == data }
}

// A message to a connection, a session, a user or the members of a room comes once to each that is meant, from any node.
func TestSendToOverNodes(t *testing.T) {
	t.Parallel()
	o := newOffice(t, redistest.Start(t))
	o.allowed.Store("ada", true)
	ada, bob := o.dial("ada"), o.dial("bob")
	for _, p := range ada {
		p.join("past")
	}
	id := ada[2].await("a welcome", op("welcome")).Conn
	for i, h := range o.hubs {
		for _, tt := range []struct {
			name  string
			whose hub.Target
			all   bool
		}{
			{"conn", hub.ByConn(id), false}, {"session", hub.BySession(id), false}, // which is named after its first connection
			{"user", hub.ByUser("ada"), true}, {"room", hub.ByRoom("past"), true},
		} {
			data := strconv.Quote(fmt.Sprint(tt.name, " ", i))
			if err := h.SendTo(t.Context(), tt.whose, []byte(data)); err != nil {
				t.Errorf("%s: %v", data, err)
			}
			for at, p := range ada {
				if tt.all || at == 2 {
					p.await(data, direct(data))
				}
			}
		}
	}
	for at, p := range append(ada, bob...) {
		p.sync()
		want := map[bool]int{true: 6}[at < 3]
		if at == 2 {
			want = 12
		}
		if got := len(p.frames(op("message"))); got != want {
			t.Errorf("client %d got %d messages, want %d:\n%s", at, got, want, p.all())
		}
	}
	if p, err := o.hubs[0].History(t.Context(), "past", broker.Position{}, 10); err != nil || len(p.Messages) != 0 {
		t.Errorf("the history has %d messages, %v", len(p.Messages), err)
	}
}

// Redis hangs while somebody is sent to: those on the node that was told get it, and the caller hears of the others.
func TestSendToWhileRedisHangs(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	o := newOffice(t, r, redis.WithDialTimeout(500*time.Millisecond), redis.WithIOTimeout(500*time.Millisecond))
	ada := o.dial("ada")
	r.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := o.hubs[0].SendTo(ctx, hub.ByUser("ada"), []byte(`"here"`)); !errors.Is(err, broker.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("SendTo while Redis hangs: %v", err)
	}
	ada[0].await("the message", direct(`"here"`))
	r.Continue()
	// A node hears nothing until it has subscribed again, also if Redis takes the message before.
	for _, p := range ada {
		eventually(t, "the others to be told", func() bool {
			_ = o.hubs[0].SendTo(t.Context(), hub.ByUser("ada"), []byte(`"again"`))
			return len(p.frames(direct(`"again"`))) > 0
		})
	}
}

// While clients come to every node and go, each gets what is sent to it from its welcome on, and once. If Redis hangs in the
// middle, the caller hears that it may be lost, unless it has told the client's own node.
func TestSendToRaceOverNodes(t *testing.T) {
	t.Parallel()
	const workers, rounds = 6, 60
	r := redistest.Start(t)
	for _, hangs := range []bool{false, true} {
		var opts []redis.Option // patient ones, on a busy machine, where all has to come
		if hangs {
			opts = impatient()
		}
		o := newOffice(t, r, opts...)
		middle := hiccup{server: r, half: workers * rounds / 2}
		var got, unknown atomic.Int64
		var wg sync.WaitGroup
		for who := range workers {
			wg.Go(func() {
				for round := range rounds {
					user := fmt.Sprint(who, "-", round, "-", hangs)
					at := rand.N(len(o.hubs))
					p := dialAddr(t, o.addrs[at], user)
					id := p.await("a welcome", op("welcome")).Conn
					if p.frames(func(frame) bool { return true })[0].Op != "welcome" {
						t.Errorf("%s heard something before its welcome:\n%s", user, p.all())
					}
					must := make(map[string]bool) // what was sent, and whether it has to come
					for i, whose := range []hub.Target{hub.ByConn(id), hub.BySession(id), hub.ByUser(user)} {
						from := rand.N(len(o.hubs))
						data := strconv.Quote(fmt.Sprint(user, " ", i))
						must[data] = from == at || !hangs
						within := patience
						if hangs {
							within = time.Second
						}
						ctx, cancel := context.WithTimeout(t.Context(), within)
						err := o.hubs[from].SendTo(ctx, whose, []byte(data))
						cancel()
						switch {
						case err == nil:
						case hangs && (errors.Is(err, broker.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)):
							unknown.Add(1)
						default:
							t.Errorf("SendTo: %v", err)
						}
					}
					for data, must := range must {
						if must {
							p.await(data, direct(data))
						}
					}
					p.sync()
					for _, f := range p.frames(op("message")) {
						got.Add(1)
						if _, ok := must[string(f.Data)]; !ok || len(p.frames(direct(string(f.Data)))) != 1 {
							t.Errorf("%s heard %v:\n%s", user, f, p.all())
						}
					}
					_ = p.ws.Close()
					if hangs {
						middle.step()
					}
				}
			})
		}
		wg.Wait()
		middle.over.Wait()
		t.Logf("%d messages came; of %d it is unknown whether other nodes were told", got.Load(), unknown.Load())
	}
}
