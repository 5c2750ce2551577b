package cluster_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// onePerUser starts three nodes on which a user has one connection.
func onePerUser(t *testing.T, r *redistest.Server, excess string, more ...string) []*node {
	t.Helper()
	return startNodesWith(t, r, append(more, "-one-per-user="+excess), "a", "b", "c")
}

// A user's connection ends when another comes at any node, or is refused while there is one.
func TestOnePerUser(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := onePerUser(t, r, "close")
	bob, last := dial(t, n[0], "bob"), dial(t, n[2], "ada")
	for i := range 6 {
		next := dial(t, n[i%3], "ada")
		last.closed(protocol.CloseDisconnected)
		next.sync()
		last = next
	}
	bob.sync()
}

func TestOnePerUserRefused(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := onePerUser(t, r, "refuse")
	for i := range 3 {
		ada := dial(t, n[i], "ada")
		for _, at := range n {
			dialAddr(t, at.at(), "ada").closed(protocol.CloseTryAgainLater)
		}
		ada.sync()
		_ = ada.ws.Close()
		eventually(t, "it is gone", func() bool { return n[i].stats().Hub.Conns == 0 })
	}
}

// Of connections that come at several nodes at once, one stays.
func TestOnePerUserAtOnce(t *testing.T) {
	t.Parallel()
	for _, excess := range []string{"refuse", "close"} {
		t.Run(excess, func(t *testing.T) {
			t.Parallel()
			r := redistest.Start(t)
			n := onePerUser(t, r, excess)
			conns := func() (sum int) {
				for _, at := range n {
					sum += at.stats().Hub.Conns
				}
				return sum
			}
			for round := range 20 {
				var all sync.WaitGroup
				var mu sync.Mutex
				var left []*websocket.Conn
				for i := range 6 {
					all.Go(func() {
						ws, res, err := websocket.DefaultDialer.Dial("ws://"+n[i%3].at()+"/ws?user=ada", nil)
						if err != nil {
							t.Error(err)
							return
						}
						_ = res.Body.Close()
						mu.Lock()
						left = append(left, ws)
						mu.Unlock()
						go func() { // answers the close frame
							for {
								if _, _, err := ws.ReadMessage(); err != nil {
									return
								}
							}
						}()
					})
				}
				all.Wait()
				eventually(t, fmt.Sprintf("one to be left in round %d", round), func() bool { return conns() == 1 })
				for _, ws := range left {
					_ = ws.Close()
				}
				eventually(t, "none to be left", func() bool { return conns() == 0 })
			}
		})
	}
}

// While Redis hangs a user gets in at every node. When it is back the next connection is decided by the count of all.
func TestOnePerUserWhileRedisHangs(t *testing.T) {
	t.Parallel()
	for _, excess := range []string{"refuse", "close"} {
		t.Run(excess, func(t *testing.T) {
			t.Parallel()
			r := redistest.Start(t)
			n := onePerUser(t, r, excess, hasty...)
			ada := []*peer{dial(t, n[0], "ada")}
			r.Pause()
			ada = append(ada, dial(t, n[1], "ada"))
			for _, p := range ada {
				p.sync()
				p.await("word of the outage", op("stale"))
			}
			r.Continue()
			for _, p := range ada {
				p.await("word of the return", op("live"))
			}
			eventually(t, "all nodes to be well", func() bool { return n[2].ready() })
			if excess == "refuse" {
				dialAddr(t, n[2].at(), "ada").closed(protocol.CloseTryAgainLater)
				for _, p := range ada {
					p.sync()
				}
				return
			}
			last := dial(t, n[2], "ada")
			for _, p := range ada {
				p.closed(protocol.CloseDisconnected)
			}
			last.sync()
		})
	}
}
