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

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// hiccup has Redis hang in the middle of what the test does: from when that is half done, until it is noticed.
type hiccup struct {
	server *redistest.Server
	half   int64
	done   atomic.Int64
	over   sync.WaitGroup
}

// step is called after each part of what the test does.
func (u *hiccup) step() {
	if u.done.Add(1) == u.half {
		u.server.Pause()
		u.over.Go(func() {
			time.Sleep(3 * hiccupTimeout)
			u.server.Continue()
		})
	}
}

// hiccupTimeout is that of the nodes of a test with a hiccup.
const hiccupTimeout = 300 * time.Millisecond

func impatient() []redis.Option {
	return []redis.Option{redis.WithDialTimeout(hiccupTimeout), redis.WithIOTimeout(hiccupTimeout)}
}

// insist gives an order again for as long as it is unknown what the other nodes have done, as its documentation says.
func insist(t *testing.T, order func(context.Context) error) (times int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		times++
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // what is lost in the outage is not waited for
		err := order(ctx)
		cancel()
		switch {
		case err == nil:
			return times
		case !errors.Is(err, broker.ErrUnavailable) && !errors.Is(err, hub.ErrNoAnswer) && !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("an order: %v", err)
			return times
		case time.Now().After(deadline):
			t.Errorf("an order is not answered: %v", err)
			return times
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Of JoinUser and RemoveFromRoom, given one after the other on any nodes, the last one holds on all of them, though Redis hangs
// in the middle.
func TestLastOrderCountsOverNodes(t *testing.T) {
	t.Parallel()
	const workers, rounds = 6, 70 // of two orders on three nodes each
	r := redistest.Start(t)
	o := newOffice(t, r, impatient()...)
	middle := hiccup{server: r, half: workers * rounds / 2}
	var again atomic.Int64
	var wg sync.WaitGroup
	for who := range workers {
		user := strconv.Itoa(who)
		room := []string{"plain", "past", "here"}[who%3] + user
		peers := o.dial(user)
		wg.Go(func() {
			for round := range rounds {
				h := o.hubs[rand.N(len(o.hubs))]
				times := insist(t, func(ctx context.Context) error { return h.JoinUser(ctx, user, room) })
				for _, p := range peers {
					p.sync()
					if !in(p, room) {
						t.Errorf("round %d: %s is not in %s after JoinUser:\n%s", round, user, room, p.all())
						return
					}
				}
				h = o.hubs[rand.N(len(o.hubs))]
				times += insist(t, func(ctx context.Context) error { return h.RemoveFromRoom(ctx, hub.ByUser(user), room, "") })
				for _, p := range peers {
					p.sync()
					if in(p, room) {
						t.Errorf("round %d: %s is in %s after RemoveFromRoom:\n%s", round, user, room, p.all())
						return
					}
				}
				again.Add(int64(times - 2))
				middle.step()
			}
		})
	}
	wg.Wait()
	middle.over.Wait()
	t.Logf("%d orders, %d of them given again", 2*workers*rounds, again.Load())
}

// arrive connects users without waiting for anything.
func (o *office) arrive(at int, user string) (*websocket.Conn, error) {
	d := websocket.Dialer{HandshakeTimeout: patience}
	ws, res, err := d.DialContext(o.t.Context(), "ws://"+o.addrs[at]+"/ws?user="+user, nil)
	if res != nil {
		_ = res.Body.Close()
	}
	return ws, err
}

// closedWith reads up to the end of a connection.
func closedWith(ws *websocket.Conn) int {
	for {
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		if _, _, err := ws.ReadMessage(); err != nil {
			if e, ok := errors.AsType[*websocket.CloseError](err); ok {
				return e.Code
			}
			return 0
		}
	}
}

// A session that ends while its user comes to every node ends on every node: who was let in by it does not stay, though Redis
// hangs in the middle.
func TestDisconnectRaceOverNodes(t *testing.T) {
	t.Parallel()
	const workers, rounds = 6, 180 // of three handshakes each
	var ended sync.Map
	r := redistest.Start(t)
	o := newOffice(t, r, impatient()...)
	o.admit = func(user string) error {
		_, over := ended.Load(user)
		time.Sleep(rand.N(2 * time.Millisecond)) // the answer is on its way
		if over {
			return hub.ErrUnauthorized
		}
		return nil
	}
	middle := hiccup{server: r, half: workers * rounds / 2}
	var closed, refused, again atomic.Int64
	var wg sync.WaitGroup
	for who := range workers {
		wg.Go(func() {
			for round := range rounds {
				user := fmt.Sprint(who, "-", round)
				var coming sync.WaitGroup
				for at := range o.hubs {
					coming.Go(func() {
						ws, err := o.arrive(at, user)
						if err != nil {
							refused.Add(1)
							return
						}
						defer func() { _ = ws.Close() }()
						if code := closedWith(ws); code != int(protocol.CloseDisconnected) {
							t.Errorf("%s at node %d ended with %d", user, at, code)
							return
						}
						closed.Add(1)
					})
				}
				time.Sleep(rand.N(3 * time.Millisecond))
				ended.Store(user, true)
				h := o.hubs[rand.N(len(o.hubs))]
				again.Add(int64(insist(t, func(ctx context.Context) error {
					_, err := h.Disconnect(ctx, hub.ByUser(user), nil)
					return err
				}) - 1))
				coming.Wait() // all have an end
				middle.step()
			}
		})
	}
	wg.Wait()
	middle.over.Wait()
	t.Logf("%d closed, %d refused; %d orders were given again", closed.Load(), refused.Load(), again.Load())
	for i, h := range o.hubs {
		eventually(t, fmt.Sprint("nobody to be left at node ", i), func() bool { return h.Stats().Conns == 0 && h.Stats().Users == 0 })
	}
}
