package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/resp"
)

const testPatience = 20 * time.Second

var history = broker.Retention{Size: 100_000, TTL: time.Hour}

// publisher starts a broker that only publishes, and waits for its lanes.
func publisher(t *testing.T, addrs []string, opts ...Option) *Broker {
	t.Helper()
	b, err := New(addrs, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testPatience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	for _, o := range b.routes.table.Load().servers {
		for _, l := range o.lanes {
			await(t, "a lane to be up", func() bool { return l.current.Load() != nil })
		}
	}
	return b
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testPatience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// state tells how many commands are without an answer, their bytes, and whether callers wait for space.
func (p *pipeline) state() (pending, held int, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending) - p.first, p.held, p.space != nil
}

// Whoever publishes gets the answer to its own command, whatever has become of the contexts of others.
func TestAnswersFindTheirCallers(t *testing.T) {
	s := redistest.Start(t)
	b := publisher(t, []string{s.Addr()}, WithPublishConns(2))
	if _, err := b.Publish(t.Context(), "room-0", broker.Publication{Retention: history}); err != nil { // loads the script
		t.Fatal(err)
	}
	const callers, each, rooms = 32, 100, 4
	type place struct {
		room string
		broker.Position
	}
	var mu sync.Mutex
	answers, gone := make(map[place]string), 0
	var tasks sync.WaitGroup
	for i := range callers {
		tasks.Go(func() {
			for n := range each {
				room, payload := fmt.Sprint("room-", n%rooms), fmt.Sprint(i, "-", n)
				ctx, cancel := context.WithCancel(t.Context())
				if rand.N(4) == 0 {
					time.AfterFunc(rand.N(300*time.Microsecond), cancel)
				}
				l, _ := b.routes.lane(room)
				p := broker.Publication{Data: []byte(payload), Retention: history}
				if n%3 == 0 {
					p.Retention = broker.Retention{}
				}
				res, err := l.publish(ctx, room, &p)
				cancel()
				mu.Lock()
				switch {
				case errors.Is(err, context.Canceled):
					gone++
				case err != nil:
					t.Error(err)
				case n%3 == 0:
					if !res.Position.IsZero() {
						t.Errorf("position %+v of a message that is not stored", res.Position)
					}
				default:
					if other, twice := answers[place{room, res.Position}]; twice {
						t.Errorf("%s and %s are both at %+v in %s", payload, other, res.Position, room)
					}
					answers[place{room, res.Position}] = payload
				}
				mu.Unlock()
			}
		})
	}
	tasks.Wait()
	if gone == 0 {
		t.Error("no caller has left before its answer")
	}
	found := 0
	for n := range rooms {
		room := fmt.Sprint("room-", n)
		page, err := b.Read(t.Context(), room, broker.Query{Last: callers * each, Limit: callers * each})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			if want, ok := answers[place{room, m.Position}]; ok {
				found++
				if string(m.Data) != want {
					t.Errorf("%s at %+v is %q, and its caller was told %q", room, m.Position, m.Data, want)
				}
			}
		}
	}
	if found != len(answers) {
		t.Errorf("%d of %d messages that were accepted are stored", found, len(answers))
	}
}

// Commands under way when the connection breaks fail, all of them, and those after that are refused until the server
// is back; then the lane is, too.
func TestLaneBroken(t *testing.T) {
	s := redistest.Start(t)
	b := publisher(t, []string{s.Addr()})
	l, br := b.routes.lane("room")
	s.Pause()
	const callers = 50
	ended := make(chan error, callers)
	for range callers {
		go func() {
			_, err := b.Publish(context.Background(), "room", broker.Publication{Data: []byte("m")})
			ended <- err
		}()
	}
	p := l.current.Load()
	await(t, "all to be under way", func() bool { n, _, _ := p.state(); return n >= callers })
	s.Kill()
	for range callers {
		if err := <-ended; !errors.Is(err, broker.ErrUnavailable) || errors.Is(err, errNotDone) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
	}
	if err := br.check(); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("the breaker says %v, want ErrUnavailable", err)
	}
	s.Restart()
	await(t, "the lane to be back", func() bool { q := l.current.Load(); return q != nil && q != p })
	await(t, "the breaker to close", func() bool { return br.check() == nil })
	if _, err := b.Publish(t.Context(), "room", broker.Publication{}); err != nil {
		t.Error(err)
	}
}

// A connection that breaks fails what was written, of which it is open what became of it, and gives back what was not.
func TestUnwrittenIsNotDone(t *testing.T) {
	p := newPipeline(nil, "", nil)
	var all []*call
	for range 3 {
		c := &call{done: make(chan struct{}, 1)}
		p.push(c)
		all = append(all, c)
	}
	p.sent = 1
	cause := errors.New("cause")
	_ = p.fail(cause)
	for i, c := range all {
		<-c.done
		if done := !errors.Is(c.err, errNotDone); done != (i == 0) || done != errors.Is(c.err, cause) {
			t.Errorf("call %d: %v", i, c.err)
		}
	}
	if err := p.enter(t.Context(), &call{}, "room", new(broker.Publication)); !errors.Is(err, errNotDone) {
		t.Errorf("%v after the end, want errNotDone", err)
	}
}

// What a server says it has not executed is published another way.
func TestNotDoneIsDone(t *testing.T) {
	s := redistest.Start(t)
	b := publisher(t, []string{s.Addr()}, WithIOTimeout(10*time.Minute)) // so that no look at the server finds out before
	l, _ := b.routes.lane("room")
	p := broker.Publication{Data: []byte("m"), Retention: history}
	publish := func(want uint64) {
		t.Helper()
		if res, err := b.Publish(t.Context(), "room", p); err != nil || res.Position.Offset != want {
			t.Errorf("%+v, %v, want offset %d", res, err, want)
		}
	}
	notDone := func(code string) {
		t.Helper()
		_, err := l.publish(t.Context(), "room", &p)
		var refusal resp.Error
		if !errors.Is(err, errNotDone) || !errors.As(err, &refusal) || refusal.Code() != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	notDone("NOSCRIPT")
	publish(1)
	if res, err := l.publish(t.Context(), "room", &p); err != nil || res.Position.Offset != 2 {
		t.Errorf("%+v, %v where the script is known, want offset 2", res, err)
	}
	s.Do("SCRIPT", "FLUSH")
	notDone("NOSCRIPT")
	publish(3)

	before := l.current.Load()
	s.Do("REPLICAOF", "127.0.0.1", "1")
	notDone("READONLY")
	await(t, "the lane to leave a server that is no master", func() bool { return l.current.Load() != before })
	s.Do("REPLICAOF", "NO", "ONE")
	await(t, "the lane to be back", func() bool { return l.current.Load() != nil })
	publish(4)

	s.Do("RPUSH", "hubkit:{other}:meta", "x") // an error that comes to the caller, and does not stop others
	if _, err := b.Publish(t.Context(), "other", p); !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("%v, want WRONGTYPE, and ErrUnavailable", err)
	}
	publish(5)
}

// The lanes of a cluster follow the slots.
func TestLaneFollowsSlot(t *testing.T) {
	c := redistest.StartCluster(t, false)
	b := publisher(t, c.Addrs(), WithPublishConns(2))
	const key = "hubkit:{room}"
	for i := range 3 {
		to := c.Servers[i]
		if to == c.Owner(key) {
			continue
		}
		old, _ := b.routes.lane("room")
		c.Move(key, to)
		if _, err := old.publish(t.Context(), "room", new(broker.Publication)); !errors.Is(err, errNotDone) {
			t.Errorf("%v where the slot was, want errNotDone", err)
		}
		if _, err := b.Publish(t.Context(), "room", broker.Publication{Retention: history}); err != nil {
			t.Error(err)
		}
		await(t, "the lane to follow", func() bool {
			l, _ := b.routes.lane("room")
			return l != nil && l.addr == to.Addr()
		})
		await(t, "its server to take what is published", func() bool {
			l, _ := b.routes.lane("room")
			_, err := l.publish(t.Context(), "room", new(broker.Publication))
			return err == nil
		})
	}
}

// A server that hangs fails callers whose context has no end, and those with one leave when it ends.
func TestLaneOfHangingServer(t *testing.T) {
	s := redistest.Start(t)
	b := publisher(t, []string{s.Addr()}, WithIOTimeout(time.Second), WithDialTimeout(time.Second))
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := b.Publish(ctx, "room", broker.Publication{}); !errors.Is(err, broker.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want ErrUnavailable and the context's error", err)
	}
	if _, err := b.Publish(context.Background(), "room", broker.Publication{}); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	s.Continue()
	await(t, "the server to be back", func() bool {
		_, err := b.Publish(t.Context(), "room", broker.Publication{})
		return err == nil
	})
}

// What waits for a server that takes nothing is bounded: callers wait for space, no longer than their context, and get
// in when there is some.
func TestLaneIsBounded(t *testing.T) {
	s := redistest.Start(t)
	b := publisher(t, []string{s.Addr()}, WithIOTimeout(time.Minute))
	l, _ := b.routes.lane("room")
	p := l.current.Load()
	s.Pause()
	const size, callers = 256 << 10, 64
	ended := make(chan error, callers)
	for range callers {
		go func() {
			_, err := b.Publish(context.Background(), "room", broker.Publication{Data: make([]byte, size)})
			ended <- err
		}()
	}
	await(t, "callers to wait for space", func() bool { _, _, full := p.state(); return full })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := b.Publish(ctx, "room", broker.Publication{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's error", err)
	}
	if n, held, _ := p.state(); held > maxUnanswered+2*size || n == callers {
		t.Errorf("%d commands of %d bytes are held, want some %d bytes", n, held, maxUnanswered)
	}
	s.Continue()
	for range callers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	// The broker's own question whether the server answers may be under way.
	await(t, "nothing to be held after the last answer", func() bool {
		n, held, full := p.state()
		return n == 0 && held == 0 && !full
	})
}

// The commands made in place are those that rueidis is given.
func TestAppendPublication(t *testing.T) {
	b, err := New([]string{"127.0.0.1:1"}, WithPrefix("p"))
	if err != nil {
		t.Fatal(err)
	}
	b.verbs = plainVerbs
	for _, tt := range []struct {
		room string
		p    broker.Publication
		want []string
	}{
		{"news", broker.Publication{Data: []byte("m")}, []string{"PUBLISH", "p:{news}", "\x01\x00m"}},
		{"}", broker.Publication{Data: []byte("m"), ConflationKey: "k", Binary: true}, []string{"PUBLISH", "p:{\x01}}", "\x01\x03\x00\x00\x00\x01km"}},
		{"news", broker.Publication{Retention: broker.Retention{Size: 10, TTL: time.Minute}, ConflationKey: "k"}, []string{
			"EVALSHA", publishHash, "3", "p:{news}:meta", "p:{news}:log", "p:{news}:log", "p:{news}", "PUBLISH", "", "k", "0",
			"10", "60000", "2592000000", "0", "", "0", "16777216",
		}},
		{"a", broker.Publication{Data: []byte("m"), Binary: true, IdempotencyKey: "i", IdempotencyTTL: time.Microsecond}, []string{
			"EVALSHA", publishHash, "3", "p:{a}:meta", "p:{a}:log", "p:{a}:idem", "p:{a}", "PUBLISH", "m", "", "1",
			"0", "0", "2592000000", "1", "i", "10000", "16777216",
		}},
		{"a", broker.Publication{
			Data: []byte("1"), JSON: true, IdempotencyKey: "i", Publisher: "ada",
			Retention: broker.Retention{Size: 10, TTL: time.Minute, Bytes: 500},
		}, []string{
			"EVALSHA", publishHash, "3", "p:{a}:meta", "p:{a}:log", "p:idem:_e5DDUC9V97qwYbNl5ADPQ", "p:{a}", "PUBLISH", "1", "", "4",
			"10", "60000", "2592000000", "300000", keyID("a", "i"), "1000", "500",
		}},
	} {
		want := string(resp.AppendCommand(nil, tt.want...))
		if got := string(b.appendPublication(nil, tt.room, &tt.p)); got != want {
			t.Errorf("%+v:\n%q, want\n%q", tt.p, got, want)
		}
	}
}
