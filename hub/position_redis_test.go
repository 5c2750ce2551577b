package hub_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// redisNode starts a hub with history in all rooms.
func redisNode(t *testing.T, tr transport, r *redistest.Server, name string) *server {
	t.Helper()
	b, err := redis.New([]string{r.Addr()}, redis.WithIOTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	return tr.start(t, hub.WithNode(name), hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithoutRateLimit(),
		hub.WithRooms("*", hub.History(100_000, time.Hour)))
}

// TestJoinsAskRedisOnce: of all the members of a room on a node the first costs Redis something.
func TestJoinsAskRedisOnce(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		r := redistest.Start(t)
		s := redisNode(t, tr, r, "n1")
		s.dialV1(t, `{"op":"hello"}`).ask(`{"op":"join","id":1,"room":"warm"}`)
		r.Do("CONFIG", "RESETSTAT")
		var first reply
		for i := range 20 {
			c := s.connect(t, nil, protocol.Subprotocol)
			c.write(`{"op":"hello","resume":[{"room":"a"}]}`)
			c.welcomed()
			in := c.read()
			if i == 0 {
				first = in
			}
			if in.Op != "ok" || in.Room != "a" || in.Epoch == "" || in.Epoch != first.Epoch || in.Offset != 0 {
				t.Errorf("client %d is told %+v", i, in)
			}
			if again := c.ask(`{"op":"join","id":1,"room":"a"}`); again.Op != "ok" || again.Epoch != in.Epoch {
				t.Errorf("client %d joins again and is told %+v", i, again)
			}
		}
		stats := r.Do("INFO", "commandstats")
		for _, want := range []string{"cmdstat_subscribe:calls=1,", "cmdstat_get:calls=1," /* of the script */} {
			if !strings.Contains(stats, want) {
				t.Errorf("no %q in\n%s", want, stats)
			}
		}
	})
}

// TestKnownPositionsResume: clients come and go on two nodes, by positions that Redis was not asked for, while messages are
// published and the subscriptions are cut. Each gets every message after its first position once.
func TestKnownPositionsResume(t *testing.T) {
	r := redistest.Start(t)
	nodes := []*server{redisNode(t, poller, r, "n1"), redisNode(t, byDoor, r, "n2")}
	ctx, stop := context.WithCancel(t.Context())
	var publishing, clients sync.WaitGroup
	var last uint64
	publishing.Go(func() {
		for ctx.Err() == nil {
			res, err := nodes[0].Publish(context.WithoutCancel(ctx), "a", []byte("1"))
			if err != nil {
				t.Errorf("publish: %v", err)
				return
			}
			last = res.Position.Offset
			if last%200 == 0 {
				r.Do("CLIENT", "KILL", "TYPE", "pubsub")
			}
			time.Sleep(time.Millisecond)
		}
	})
	const visits = 30
	at := make([]struct {
		epoch  string
		offset uint64
	}, 8)
	for i := range at {
		clients.Go(func() {
			p := &at[i]
			for visit := range visits {
				c := nodes[(i+visit)%len(nodes)].connect(t, nil, protocol.Subprotocol)
				hello := `{"op":"hello","resume":[{"room":"a"}]}`
				if visit > 0 {
					hello = fmt.Sprintf(`{"op":"hello","resume":[{"room":"a","epoch":%q,"offset":%d}]}`, p.epoch, p.offset)
				}
				c.write(hello)
				for messages := 0; messages < 5+i; {
					switch m := c.read(); m.Op {
					case "ok":
						if visit > 0 && (m.Epoch != p.epoch || m.Offset != p.offset) {
							t.Errorf("client %d goes on from %s %d, want %+v", i, m.Epoch, m.Offset, *p)
						}
						p.epoch, p.offset = m.Epoch, m.Offset
					case "message":
						if m.Offset != p.offset+1 {
							t.Errorf("client %d: message %d after %d", i, m.Offset, p.offset)
						}
						p.offset = m.Offset
						messages++
					case "welcome", "stale", "live":
					case "error": // a node without a subscription may refuse a join
						c.write(`{"op":"join","id":1,"room":"a","epoch":` + strconv.Quote(p.epoch) + `,"offset":` + strconv.FormatUint(p.offset, 10) + `}`)
					default:
						t.Errorf("client %d is told %+v", i, m)
						return
					}
				}
				_ = c.ws.Close()
			}
		})
	}
	clients.Wait()
	stop()
	publishing.Wait()
	if last < 200 {
		t.Errorf("%d messages, too few to have lost a subscription", last)
	}
}
