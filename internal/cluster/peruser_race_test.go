package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// guests are connections of one user.
type guests struct {
	o    *office
	user string

	mu    sync.Mutex
	conns []*websocket.Conn
	alive int
	ends  map[int]int // connections by the code they were closed with
	wg    sync.WaitGroup
}

// come connects the user to nodes at once, and returns when all are welcomed or closed.
func (c *guests) come(nodes ...int) {
	var coming sync.WaitGroup
	for _, at := range nodes {
		coming.Go(func() {
			ws, err := c.o.arrive(at, c.user)
			if err != nil {
				c.o.t.Error(err)
				return
			}
			welcomed := make(chan struct{})
			c.mu.Lock()
			c.conns = append(c.conns, ws)
			c.alive++
			c.mu.Unlock()
			c.wg.Go(func() {
				defer close(welcomed)
				_, first, err := ws.ReadMessage()
				if err == nil {
					if !strings.Contains(string(first), `"welcome"`) {
						c.o.t.Errorf("the first frame is %s", first)
					}
					welcomed <- struct{}{}
				}
				for err == nil {
					_, _, err = ws.ReadMessage()
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				if e, ok := errors.AsType[*websocket.CloseError](err); ok {
					c.ends[e.Code]++
				}
				c.alive--
			})
			<-welcomed
		})
	}
	coming.Wait()
}

func (c *guests) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alive
}

func (c *guests) endedWith(code protocol.CloseCode) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ends[int(code)]
}

func (c *guests) leave() {
	c.mu.Lock()
	for _, ws := range c.conns {
		_ = ws.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

func (o *office) guests(user string) *guests {
	return &guests{o: o, user: user, ends: make(map[int]int)}
}

var bothExcesses = map[string]struct {
	excess hub.OnExcess
	code   protocol.CloseCode
}{
	"refuse": {hub.RefuseNew, protocol.CloseTryAgainLater},
	"close":  {hub.CloseOldest, protocol.CloseDisconnected},
}

// silences counts what hubs log when a user's connections could not all be counted, which needs a node that is busy for a second.
type silences struct {
	slog.Handler
	n atomic.Int64
}

func (s *silences) Enabled(context.Context, slog.Level) bool { return true }

func (s *silences) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "counting a user's connections failed") {
		s.n.Add(1)
	}
	return nil
}

func (s *silences) WithAttrs([]slog.Attr) slog.Handler { return s }

// However many connections of a user come to all nodes at once, as many stay as may.
func TestMaxPerUserRaceOverNodes(t *testing.T) {
	t.Parallel()
	const workers, rounds, most = 4, 60, 2
	for name, tt := range bothExcesses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silent := &silences{Handler: slog.DiscardHandler}
			o := newOfficeWith(t, redistest.Start(t), []hub.Option{hub.WithMaxPerUserOverall(most, tt.excess), hub.WithLogger(slog.New(silent))})
			var wg sync.WaitGroup
			for who := range workers {
				wg.Go(func() {
					for round := range rounds {
						c, before := o.guests(fmt.Sprint(who, "-", round)), silent.n.Load()
						counted := func() bool { return silent.n.Load() == before } // or nothing is promised
						c.come(round%3, 0, 1, 2, who%3)
						eventually(t, fmt.Sprintf("%d of %s to be left", most, c.user), func() bool { return c.endedWith(tt.code) >= 5-most || !counted() })
						c.come(0) // is decided by the count of all, and nothing else has an end
						eventually(t, "one more to end", func() bool { return c.endedWith(tt.code) > 5-most || !counted() })
						if n := c.left(); n != most && counted() {
							t.Errorf("%d connections of %s are left, want %d; closed: %v", n, c.user, most, c.ends)
						}
						c.leave()
					}
				})
			}
			wg.Wait()
			n := silent.n.Load()
			t.Logf("%d handshakes, of which %d did not hear in time from all nodes", workers*rounds*6, n)
			if n > rounds {
				t.Error("those are too many")
			}
		})
	}
}

// Redis hangs in the middle of thousands of handshakes. Nobody is kept out by that, at no time has a user more on a node than may,
// and when it is over the next connection is decided by the count of all.
func TestMaxPerUserRaceWhileRedisHangs(t *testing.T) {
	t.Parallel()
	const workers, rounds, most = 4, 60, 2
	for name, tt := range bothExcesses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Start(t)
			o := newOfficeWith(t, r, []hub.Option{hub.WithMaxPerUserOverall(most, tt.excess)}, impatient()...)
			middle := hiccup{server: r, half: workers * rounds / 2}
			all := make([]*guests, workers)
			var wg sync.WaitGroup
			for who := range workers {
				all[who] = o.guests(fmt.Sprint("stays-", who)) // over the outage
				wg.Go(func() {
					all[who].come(0, 1, 2)
					for round := range rounds {
						c := o.guests(fmt.Sprint(who, "-", round))
						c.come(0, 1, 2, round%3)
						if n := c.endedWith(protocol.CloseTryAgainLater); n > 4-most {
							t.Errorf("%d connections of %s are refused, want %d at most", n, c.user, 4-most)
						}
						c.leave()
						middle.step()
					}
				})
			}
			wg.Wait()
			middle.over.Wait()
			for _, h := range o.hubs {
				eventually(t, "the nodes to be well", h.Ready)
			}
			for _, c := range all {
				if n := c.left(); n < most {
					t.Errorf("%d connections of %s are left, want %d at least", n, c.user, most)
				}
				eventually(t, "the count of all to decide", func() bool {
					c.come(1)
					for begin := time.Now(); time.Since(begin) < 5*time.Second; time.Sleep(5 * time.Millisecond) {
						if c.left() == most || tt.excess == hub.RefuseNew && c.endedWith(tt.code) > 0 {
							return true
						}
					}
					return false
				})
				c.leave()
			}
		})
	}
}
