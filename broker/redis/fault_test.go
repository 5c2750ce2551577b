package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// A server that is restarted with its data has lost nothing, and neither have the receivers.
func TestRestartWithData(t *testing.T) {
	s := redistest.Start(t, "appendonly yes")
	b, rec := start(t, []string{s.Addr()}, quick(t)...)
	pub, _ := start(t, []string{s.Addr()}, quick(t)...)
	subscribe(t, b, "room")
	l := startLoad(t, pub, "room")
	for i := range 3 {
		l.more(100)
		s.Kill()
		s.Restart()
		live(t, rec, i+1)
	}
	l.more(100)
	l.complete(rec, false)
}

// A server that comes back empty makes a gap, also in rooms where nothing is published any more.
func TestRestartEmpty(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, quick(t)...)
	subscribe(t, b, "busy", "quiet", "plain")
	old := publish(t, b, "quiet", broker.Publication{Data: []byte("m"), Retention: kept}).Position
	l := startLoad(t, b, "busy")
	l.more(50)
	s.Forget()
	l.more(50)
	l.complete(rec, true)
	live(t, rec, 1)
	events := rec.Events("quiet")
	if len(events) != 2 || events[1].Gap == nil || events[1].Gap.Epoch == old.Epoch || events[1].Gap.Epoch == "" {
		t.Errorf("quiet room: %+v, want a message and a gap with another epoch than %s", events, old.Epoch)
	}
	page, err := b.Read(t.Context(), "quiet", broker.Query{Since: old, Retention: kept})
	if err != nil || !page.Gap || page.Top != *events[1].Gap {
		t.Errorf("Read since the old position: %+v, %v, want the gap that the receiver was told of", page, err)
	}
	if e := rec.Events("plain"); len(e) > 0 {
		t.Errorf("room without history: %d events, want none", len(e))
	}
}

// A server that comes back with older data, as a replica may be that takes over, makes a gap too, though the
// epoch is the same: for receivers and, from then on, for who resumes.
func TestRewound(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, quick(t)...)
	subscribe(t, b, "room")
	fill := func(n int) (last broker.Position) {
		for range n {
			last = publish(t, b, "room", broker.Publication{Data: []byte("m"), Retention: kept}).Position
		}
		return last
	}
	fill(10)
	s.Do("SAVE")
	lost := fill(5)
	wait(t, rec, "all messages", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) == 15 })
	s.Kill()
	s.Restart()
	wait(t, rec, "a gap", func(r *brokertest.Recorder) bool {
		e := r.Events("room")
		return e[len(e)-1].Gap != nil
	})
	live(t, rec, 1)
	next := fill(8)
	if next.Epoch == lost.Epoch || next.Offset != 18 {
		t.Errorf("position %+v after %+v was lost, want another epoch and offset 18", next, lost)
	}
	page, err := b.Read(t.Context(), "room", broker.Query{Since: lost, Retention: kept})
	if err != nil || !page.Gap {
		t.Errorf("Read since a message that was lost: %+v, %v, want a gap", page, err)
	}
	wait(t, rec, "what came after", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) == 23 })
}

// Connections that the server cuts are made again; nothing published meanwhile is missing.
func TestConnectionsKilled(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, quick(t)...)
	subscribe(t, b, "room")
	l := startLoad(t, b, "room")
	for i := range 5 {
		l.more(100)
		s.Do("CLIENT", "KILL", "TYPE", "pubsub")
		live(t, rec, i+1)
	}
	l.complete(rec, false)
}

// gated is a receiver that can be made to hang, which it never should.
type gated struct {
	*brokertest.Recorder
	gate chan struct{}
}

func (g gated) Deliver(room string, ms []broker.Message) {
	<-g.gate
	g.Recorder.Deliver(room, ms)
}

// A subscriber that the server cuts off because it reads too slowly comes back and reads on from history.
func TestOutputBufferLimit(t *testing.T) {
	s := redistest.Start(t, "client-output-buffer-limit pubsub 1mb 1mb 1")
	b, pub := newBroker(t, []string{s.Addr()}), newBroker(t, []string{s.Addr()})
	g := gated{brokertest.NewRecorder(), make(chan struct{})}
	startWith(t, b, g)
	startWith(t, pub, brokertest.NewRecorder())
	subscribe(t, b, "room")
	const count = 300
	payload := make([]byte, 64<<10)
	all := kept
	all.Bytes = 2 * count * int64(len(payload)) // the default keeps fewer than may be missing
	for range count {
		publish(t, pub, "room", broker.Publication{Data: payload, Binary: true, Retention: all})
	}
	close(g.gate)
	wait(t, g.Recorder, "all messages", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) >= count })
	live(t, g.Recorder, 1)
	if n := len(g.Messages("room")); n != count {
		t.Errorf("%d messages, want %d", n, count)
	}
	if err := g.Err(); err != nil {
		t.Error(err)
	}
	if b.Stats().CaughtUp == 0 {
		t.Error("nothing was read from history: the server has not cut the connection")
	}
}

// While the server hangs, calls end with their context or soon fail at once, and the state says so.
func TestPaused(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, quick(t)...)
	pub, _ := start(t, []string{s.Addr()}, quick(t)...)
	subscribe(t, b, "room")
	l := startLoad(t, pub, "room")
	l.more(100)
	s.Pause()
	within := func(limit time.Duration) time.Duration {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		begin := time.Now()
		_, err := b.Publish(ctx, "room", broker.Publication{Data: []byte("x")})
		if !errors.Is(err, broker.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Publish: %v, want ErrUnavailable", err)
		}
		return time.Since(begin)
	}
	if d := within(100 * time.Millisecond); d > 5*time.Second {
		t.Errorf("Publish with a context of 100ms took %v", d)
	}
	wait(t, rec, "the state to be stale", func(r *brokertest.Recorder) bool { return len(r.States()) > 0 })
	fast := 0
	for range 20 {
		if within(2*time.Second) < 50*time.Millisecond {
			fast++
		}
	}
	if fast < 10 {
		t.Errorf("%d of 20 publications failed at once, want most", fast)
	}
	s.Continue()
	live(t, rec, 1)
	l.more(100)
	l.complete(rec, false)
}

// What is asked for while Redis is away is refused, and done when it is back: no interest and no member is
// forgotten.
func TestAway(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, quick(t)...)
	subscribe(t, b, "before")
	if err := b.Enter(t.Context(), "before", broker.Member{Conn: "early"}); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	wait(t, rec, "the state to be stale", func(r *brokertest.Recorder) bool { return len(r.States()) > 0 })
	calls := map[string]func() error{
		"Subscribe": func() error { return b.Subscribe(t.Context(), "meanwhile") },
		"Enter":     func() error { return b.Enter(t.Context(), "before", broker.Member{Conn: "late"}) },
		"Publish": func() error {
			_, err := b.Publish(t.Context(), "before", broker.Publication{})
			return err
		},
		"Read": func() error {
			_, err := b.Read(t.Context(), "before", broker.Query{})
			return err
		},
		"Count":     func() error { _, err := b.Count(t.Context(), "before"); return err },
		"Nodes":     func() error { _, err := b.Nodes(t.Context()); return err },
		"Broadcast": func() error { return b.Broadcast(t.Context(), nil) },
	}
	for name, call := range calls {
		begin := time.Now()
		if err := call(); !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	if err := b.Unsubscribe(t.Context(), "nothing"); err != nil {
		t.Errorf("Unsubscribe: %v, want nil: what is not connected is not subscribed", err)
	}
	s.Forget()
	live(t, rec, 1)
	for _, room := range []string{"before", "meanwhile"} {
		publish(t, b, room, broker.Publication{Data: []byte("m")})
		wait(t, rec, "a message in "+room, func(r *brokertest.Recorder) bool { return len(r.Messages(room)) == 1 })
	}
	eventually(t, "both members to be announced again", func() bool {
		n, err := b.Count(t.Context(), "before")
		return err == nil && n == 2
	})
}

// Many rooms are subscribed to again, and caught up, within seconds.
func TestManyRoomsReconnect(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	pub, _ := start(t, []string{s.Addr()})
	rooms := make([]string, 20_000)
	for i := range rooms {
		rooms[i] = fmt.Sprint("room-", i)
	}
	begin := time.Now()
	subscribe(t, b, rooms...)
	t.Logf("subscribed to %d rooms in %v", len(rooms), time.Since(begin))
	for i := 0; i < len(rooms); i += 20 {
		publish(t, pub, rooms[i], broker.Publication{Data: []byte("1"), Retention: kept})
	}
	begin = time.Now()
	s.Do("CLIENT", "KILL", "TYPE", "pubsub")
	for i := 0; i < len(rooms); i += 10 {
		publish(t, pub, rooms[i], broker.Publication{Data: []byte("2"), Retention: kept})
	}
	live(t, rec, 1)
	if d := time.Since(begin); d > patience {
		t.Errorf("it took %v to come back", d)
	} else {
		t.Logf("back after %v; %+v", d, b.Stats())
	}
	for i := 0; i < len(rooms); i += 10 {
		want := 1
		if i%20 == 0 {
			want = 2
		}
		wait(t, rec, "all messages in "+rooms[i], func(r *brokertest.Recorder) bool { return len(r.Messages(rooms[i])) == want })
	}
}

// Close does not wait for a server that is gone, nor for one that hangs.
func TestCloseWithoutServer(t *testing.T) {
	for name, leave := range map[string]func(*redistest.Server){
		"gone": (*redistest.Server).Kill, "hanging": (*redistest.Server).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			b := newBroker(t, []string{s.Addr()}, quick(t)...)
			startWith(t, b, brokertest.NewRecorder())
			subscribe(t, b, "room")
			if err := b.Enter(t.Context(), "room", broker.Member{Conn: "c"}); err != nil {
				t.Fatal(err)
			}
			leave(s)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			begin := time.Now()
			if err := b.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
			if d := time.Since(begin); d > 8*time.Second {
				t.Errorf("Close took %v", d)
			}
		})
	}
}

// Start tells at once that there is no server, and can be called again.
func TestStartWithoutServer(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	b := newBroker(t, []string{s.Addr()}, quick(t)...)
	if err := b.Start(t.Context(), "node", brokertest.NewRecorder()); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Start: %v, want ErrUnavailable", err)
	}
	s.Restart()
	startWith(t, b, brokertest.NewRecorder())
	if err := b.Start(t.Context(), "node", brokertest.NewRecorder()); !errors.Is(err, redis.ErrStarted) {
		t.Errorf("second Start: %v, want ErrStarted", err)
	}
}
