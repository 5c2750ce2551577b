package hub_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// watcher is a member of the room "here" that keeps the list of its members, as PROTOCOL.md says.
type watcher struct {
	ws *websocket.Conn

	mu      sync.Mutex
	log     []string        // +conn, -conn, and ?count
	members map[string]bool // but itself
	pushed  int
	most    int // events within a second
	second  time.Time
	events  int
}

// crowd is a hub in a bubble whose room has a watcher, and a broker with which others come and go.
type crowd struct {
	timed
	t      *testing.T
	broker *memory.Broker
	w      *watcher
}

// inCrowd runs a test in a bubble.
func inCrowd(t *testing.T, perSecond, burst int, f func(*crowd)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		s, stop := startTimed(t, hub.WithNode("n1"), hub.WithBroker(b), hub.WithOpenRooms("*"),
			hub.WithRooms("here", hub.Presence(hub.PresenceRate(perSecond, burst))))
		c := &crowd{timed: s, t: t, broker: b}
		c.w = c.watch()
		time.Sleep(time.Minute) // the burst is whole
		f(c)
		_ = c.w.ws.Close()
		synctest.Wait()
		stop()
	})
}

func (c *crowd) watch() *watcher {
	c.t.Helper()
	d := websocket.Dialer{NetDialContext: c.net.dial}
	ws, resp, err := d.Dial("ws://memory/", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = resp.Body.Close()
	w := &watcher{ws: ws, members: make(map[string]bool)}
	w.write(c.t, `{"op":"join","room":"here"}`)
	go w.read(c.t)
	synctest.Wait()
	return w
}

func (w *watcher) write(t *testing.T, frame string) {
	if err := w.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		t.Errorf("write: %v", err)
	}
}

func (w *watcher) read(t *testing.T) {
	self := ""
	for {
		_, p, err := w.ws.ReadMessage()
		if err != nil {
			return
		}
		var r reply
		var m protocol.Member
		if err := json.Unmarshal(p, &r); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if r.Op == "join" || r.Op == "leave" {
			if m, err = protocol.ParseMember(r.Data); err != nil {
				t.Error(err)
			}
			if m.Conn == self {
				continue
			}
		}
		w.mu.Lock()
		if time.Since(w.second) >= time.Second {
			w.second, w.events = time.Now(), 0
		}
		w.events++
		w.most = max(w.most, w.events)
		switch r.Op {
		case "welcome":
			self = r.Conn
		case "join":
			w.log = append(w.log, "+"+m.Conn+string(m.Info))
			w.members[m.Conn] = true
		case "leave":
			w.log = append(w.log, "-"+m.Conn)
			delete(w.members, m.Conn)
		case "presence":
			p, err := protocol.ParsePresence(r.Data)
			if err != nil {
				t.Error(err)
			}
			w.log = append(w.log, fmt.Sprintf("?%d", p.Count))
			w.pushed++
			w.ask(t)
		case "ok":
			if r.ID == 7 {
				p, err := protocol.ParsePresence(r.Data)
				if err != nil {
					t.Error(err)
				}
				clear(w.members)
				for _, m := range p.Members {
					if m.Conn != self {
						w.members[m.Conn] = true
					}
				}
			}
		}
		w.mu.Unlock()
	}
}

// ask has the list taken from the answer.
func (w *watcher) ask(t *testing.T) { w.write(t, `{"op":"presence","id":7,"room":"here"}`) }

// told returns what the watcher was told since the last time.
func (w *watcher) told() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	log := w.log
	w.log = nil
	return log
}

func (c *crowd) enter(conn, info string) {
	c.t.Helper()
	m := broker.Member{Conn: conn}
	if info != "" {
		m.Info = json.RawMessage(info)
	}
	if err := c.broker.Enter(c.t.Context(), "here", m); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) leave(conn string) {
	c.t.Helper()
	if err := c.broker.Leave(c.t.Context(), "here", conn); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) expect(want ...string) {
	c.t.Helper()
	if got := c.w.told(); !slices.Equal(got, want) {
		c.t.Errorf("told %v, want %v", got, want)
	}
}

// Within the rate each change is told at once; beyond it, in order and tick by tick, as many as the rate allows.
func TestPresenceRate(t *testing.T) {
	inCrowd(t, 10, 4, func(c *crowd) {
		var want []string
		for i := range 20 {
			c.enter(fmt.Sprintf("m%02d", i), "")
			want = append(want, fmt.Sprintf("+m%02d", i))
		}
		c.expect(want[:4]...)
		for at := 4; at < len(want); at += 4 { // in half a second the burst is whole again
			time.Sleep(500*time.Millisecond + time.Microsecond)
			c.expect(want[at : at+4]...)
		}
		time.Sleep(time.Second)
		c.leave("m00")
		c.expect("-m00")
	})
}

// A large member counts as several.
func TestPresenceRateCountsBytes(t *testing.T) {
	inCrowd(t, 10, 4, func(c *crowd) {
		info := fmt.Sprintf("%0700d", 0)
		info = `"` + info + `"`
		for _, conn := range []string{"a", "b", "c"} {
			c.enter(conn, info)
		}
		c.expect("+a"+info, "+b"+info)
	})
}

// What cancels out while it waits is not told.
func TestPresenceNets(t *testing.T) {
	inCrowd(t, 2, 2, func(c *crowd) {
		c.enter("stays", "1")
		c.enter("changes", "1")
		time.Sleep(time.Minute)
		c.w.told()
		c.enter("x", "")
		c.enter("y", "")
		c.expect("+x", "+y")
		c.enter("never", "")
		c.leave("never")
		c.leave("stays")
		c.enter("stays", "1")
		c.leave("changes")
		c.enter("changes", "2")
		c.leave("x")
		c.enter("z", "")
		c.leave("z")
		c.enter("z", "")
		c.expect()
		time.Sleep(time.Minute)
		c.expect("+changes2", "-x", "+z")
	})
}

// What an answer has shown is taken back though it cancels out.
func TestPresenceShown(t *testing.T) {
	inCrowd(t, 2, 2, func(c *crowd) {
		c.enter("x", "")
		c.enter("y", "")
		c.enter("brief", "")
		c.w.ask(t)
		c.expect("+x", "+y")
		c.leave("brief")
		time.Sleep(time.Minute)
		c.expect("-brief")
		c.w.mu.Lock()
		defer c.w.mu.Unlock()
		if want := map[string]bool{"x": true, "y": true}; !maps.Equal(c.w.members, want) {
			t.Errorf("the list is %v, want %v", c.w.members, want)
		}
	})
}

// When too much waits, members are told to ask, at a bounded pace, until it is calm again.
func TestPresenceCrowded(t *testing.T) {
	inCrowd(t, 10, 10, func(c *crowd) {
		for i := range 500 {
			c.enter(fmt.Sprintf("m%03d", i), "")
		}
		time.Sleep(time.Second)
		if told := c.w.told(); len(told) != 11 || told[10] != "?501" {
			t.Errorf("told %v, want 10 members and then that they are 501", told)
		}
		for i := range 500 {
			c.leave(fmt.Sprintf("m%03d", i))
		}
		c.expect()
		time.Sleep(10 * time.Second)
		c.expect("?1")
		time.Sleep(30 * time.Second)
		c.expect()
		c.enter("m", "")
		c.expect("+m")
	})
}

// A list that is kept as PROTOCOL.md says ends right, and what a member is sent is bounded, however wild the room was.
func TestPresenceListEndsRight(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inCrowd(t, 20, 20, func(c *crowd) {
				r := rand.New(rand.NewPCG(seed, 0))
				for step := range 3000 {
					conn := fmt.Sprintf("m%d", r.IntN(10<<(2*(seed%4))))
					if r.IntN(2) == 0 {
						c.enter(conn, fmt.Sprint(r.IntN(2)))
					} else {
						c.leave(conn)
					}
					if r.IntN(200) == 0 {
						c.w.ask(t)
					}
					if step == 1500 {
						time.Sleep(time.Minute)
					}
					time.Sleep(time.Duration(r.IntN(1+int(seed))) * 5 * time.Millisecond)
				}
				time.Sleep(time.Minute)
				c.w.told()
				ms, err := c.broker.Members(t.Context(), "here", 0)
				if err != nil {
					t.Fatal(err)
				}
				want := make(map[string]bool)
				for _, m := range ms {
					want[m.Conn] = true
				}
				c.w.mu.Lock()
				defer c.w.mu.Unlock()
				for conn := range want {
					if !c.w.members[conn] && conn[0] == 'm' {
						t.Errorf("%s is missing", conn)
					}
				}
				if got := len(c.w.members); got != len(want)-1 {
					t.Errorf("%d members in the list, want %d", got, len(want)-1)
				}
				if c.w.most > 50 {
					t.Errorf("%d frames within a second, want about 20 with a burst of 20", c.w.most)
				}
			})
		})
	}
}
