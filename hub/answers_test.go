package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// census is a broker that counts how often it lists members, and how many do so at once.
type census struct {
	*memory.Broker
	takes       time.Duration
	asked, most atomic.Int32
	now         atomic.Int32
}

func newCensus(t *testing.T) *census {
	t.Helper()
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	return &census{Broker: b}
}

func (c *census) Members(ctx context.Context, room string, limit int) ([]broker.Member, error) {
	c.asked.Add(1)
	c.most.Store(max(c.most.Load(), c.now.Add(1)))
	defer c.now.Add(-1)
	time.Sleep(c.takes)
	return c.Broker.Members(ctx, room, limit)
}

// noPings is for clients over a pipe: a pong waits there for the hub to read, which it does not while it answers a question, and
// gorilla gives up after a second.
var noPings = hub.WithHeartbeat(heartbeat.Disabled())

// asker is a member in a bubble that asks, one question after another.
type asker struct {
	ws   *websocket.Conn
	last protocol.Presence
}

func (s timed) asker(t *testing.T) *asker {
	t.Helper()
	d := websocket.Dialer{NetDialContext: s.net.dial}
	ws, resp, err := d.Dial("ws://memory/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	a := &asker{ws: ws}
	a.await(t, `{"op":"join","id":1,"room":"here"}`)
	return a
}

// await sends a request with the id 1 and waits for its answer.
func (a *asker) await(t *testing.T, request string) {
	t.Helper()
	if err := a.ws.WriteMessage(websocket.TextMessage, []byte(request)); err != nil {
		t.Error(err)
		return
	}
	for {
		_, p, err := a.ws.ReadMessage()
		if err != nil {
			t.Error(err)
			return
		}
		var e protocol.Event
		if err := e.Decode(p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if e.ID != 1 {
			continue
		}
		if e.Op != protocol.OpOK {
			t.Errorf("answered %s", p)
		}
		if e.Data != nil {
			if a.last, err = protocol.ParsePresence(e.Data); err != nil {
				t.Error(err)
			}
		}
		return
	}
}

func (a *asker) ask(t *testing.T) {
	t.Helper()
	a.await(t, `{"op":"presence","id":1,"room":"here"}`)
}

// Members of a calm room that ask get one answer, which the broker was asked for once.
func TestPresenceAnswersAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCensus(t)
		b.takes = time.Millisecond
		s, stop := startTimed(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence()),
			hub.WithoutRateLimit(), hub.WithWriteTimeout(time.Hour), // askers read only while they wait
			noPings)
		defer stop()
		var askers []*asker
		for range 20 {
			askers = append(askers, s.asker(t))
		}
		for range 2 {
			var all sync.WaitGroup
			for _, a := range askers {
				all.Go(func() {
					for range 50 {
						if a.ask(t); a.last.Count != 20 || len(a.last.Members) != 20 {
							t.Errorf("%d members, %d listed, want 20", a.last.Count, len(a.last.Members))
						}
					}
				})
			}
			all.Wait()
			time.Sleep(10 * time.Second) // the answer grows old
		}
		if n := b.asked.Load(); n < 2 || n > 6 {
			t.Errorf("the broker was asked %d times for 2,000 answers, want about 2", n)
		}
		for _, a := range askers {
			_ = a.ws.Close()
		}
		synctest.Wait()
	})
}

// While a room changes, the broker is asked once at a time and has most of the time for others; nobody is told what was
// so before he asked.
func TestPresenceAnswersArePaced(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		most  int32
	}{"quick": {0, 201}, "slow": {100 * time.Millisecond, 6}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCensus(t)
				b.takes = c.takes
				s, stop := startTimed(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence()),
					hub.WithoutRateLimit(), hub.WithWriteTimeout(time.Hour), noPings)
				defer stop()
				askers := []*asker{s.asker(t), s.asker(t), s.asker(t)}
				begin := time.Now()
				var entered atomic.Int32
				var all sync.WaitGroup
				all.Go(func() {
					for time.Since(begin) < 10*time.Second {
						if err := b.Enter(t.Context(), "here", broker.Member{Conn: fmt.Sprint("m", entered.Load())}); err != nil {
							t.Error(err)
						}
						entered.Add(1)
						time.Sleep(7 * time.Millisecond)
					}
				})
				for _, a := range askers {
					all.Go(func() {
						for time.Since(begin) < 10*time.Second {
							least := int(entered.Load()) + len(askers)
							if a.ask(t); a.last.Count < least {
								t.Errorf("%d members, but %d were there before", a.last.Count, least)
							}
							time.Sleep(time.Millisecond)
						}
					})
				}
				all.Wait()
				if n := b.asked.Load(); n > c.most {
					t.Errorf("the broker was asked %d times in 10 s, want at most %d", n, c.most)
				}
				if n := b.most.Load(); n != 1 {
					t.Errorf("%d questions at once, want one", n)
				}
				for _, a := range askers {
					_ = a.ws.Close()
				}
				synctest.Wait()
			})
		})
	}
}

// largeRoom is a room of 1,000 members with 1.2 KB each, and a client in it.
func largeRoom(t *testing.T, tr transport, opts ...hub.Option) (*server, *client) {
	t.Helper()
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	s := tr.start(t, append([]hub.Option{hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence())}, opts...)...)
	for i := range 999 {
		m := broker.Member{Conn: fmt.Sprintf("m%03d", i), Info: json.RawMessage(fmt.Sprintf("%q", fmt.Sprintf("%01200d", i)))}
		if err := b.Enter(t.Context(), "here", m); err != nil {
			t.Fatal(err)
		}
	}
	c := s.dial(t)
	c.enter("here")
	return s, c
}

// An answer lists what fits in 48 KiB, and counts all.
func TestPresenceIsCutByBytes(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		_, c := largeRoom(t, tr)
		c.ws.SetReadLimit(48<<10 + 100)
		r := c.nextAnswer(`{"op":"presence","id":2,"room":"here"}`, 2)
		p, err := protocol.ParsePresence(r.Data)
		if err != nil || p.Count != 1000 || len(p.Members) < 38 || len(p.Members) > 40 || p.Members[0].Conn != "m000" {
			t.Errorf("%d members, %d listed, %v; want 1,000 and about 39 from the first on", p.Count, len(p.Members), err)
		}
		c.alive()
	})
}

// nextAnswer sends a request and skips what comes before its answer.
func (c *client) nextAnswer(request string, id uint64) reply {
	c.t.Helper()
	c.write(request)
	for {
		if r := c.read(); r.ID == id {
			return r
		}
	}
}

// One answer about a room waits for a client that does not read; more questions are refused, so that they hold no memory.
func TestPresenceUnread(t *testing.T) {
	const questions = 40
	tr := poller
	tr.sendBuffer = 4 << 10
	s, _ := largeRoom(t, tr)
	conns := make(chan *hub.Conn, 1)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error {
		conns <- c
		return nil
	})
	c := s.dialStalled(t, "here")
	conn := receive(t, "the connection", conns)
	for range questions {
		c.write(`{"op":"presence","id":3,"room":"here"}`)
	}
	await(t, "most questions are refused", func() bool { return conn.Stats().BacklogMessages > questions/2 })
	if n := conn.Stats().BacklogBytes; n > 64<<10 {
		t.Errorf("%d bytes wait, want no more than an answer and what refuses others", n)
	}
	answered, refused := 0, 0
	for answered+refused < questions {
		switch r := c.read(); {
		case r.ID == 3 && r.Op == "ok":
			answered++
		case r.ID == 3 && r.Code == "rate_limited" && r.RetryAfter == 1000:
			refused++
		}
	}
	if refused < questions/2 {
		t.Errorf("%d answers and %d refusals, want both", answered, refused)
	}
	if r := c.nextAnswer(`{"op":"presence","id":4,"room":"here"}`, 4); r.Op != "ok" {
		t.Errorf("after all was read: %+v", r)
	}
}
