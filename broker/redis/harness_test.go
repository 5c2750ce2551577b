package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/testenv"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// rueidis closes connections to servers that a cluster has lost from a goroutine that sleeps for five
	// seconds first, the client closed or not.
	testenv.Main(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

const patience = 20 * time.Second

var kept = broker.Retention{Size: 100_000, TTL: time.Hour}

// quick makes a broker notice in a fraction of a second what takes it seconds by default.
func quick(t testing.TB) []redis.Option {
	t.Helper()
	p, err := backoff.New(backoff.WithBase(20*time.Millisecond), backoff.WithCap(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return []redis.Option{redis.WithIOTimeout(time.Second), redis.WithDialTimeout(time.Second), redis.WithBackoff(p)}
}

// brisk is quick for tests in which no connection is lost: a busy machine is not taken for a fault.
func brisk(t testing.TB) []redis.Option {
	t.Helper()
	return append(quick(t), redis.WithIOTimeout(10*time.Second), redis.WithDialTimeout(10*time.Second))
}

// newBroker makes a broker that is not started.
func newBroker(t testing.TB, addrs []string, opts ...redis.Option) *redis.Broker {
	t.Helper()
	b, err := redis.New(addrs, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var nodes atomic.Int64

// start starts a broker and closes it with the test. The recorder's findings fail the test.
func start(t testing.TB, addrs []string, opts ...redis.Option) (*redis.Broker, *brokertest.Recorder) {
	t.Helper()
	b, rec := newBroker(t, addrs, opts...), brokertest.NewRecorder()
	t.Cleanup(func() { // after the broker was closed
		rec.Seal()
		if err := rec.Err(); err != nil {
			t.Error(err)
		}
	})
	startWith(t, b, rec)
	return b, rec
}

func startWith(t testing.TB, b *redis.Broker, r broker.Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Start(ctx, fmt.Sprintf("node-%d", nodes.Add(1)), r); err != nil {
		t.Fatal(err)
	}
	closeWithTest(t, b)
}

func closeWithTest(t testing.TB, b *redis.Broker) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil && !errors.Is(err, broker.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
}

func subscribe(t testing.TB, b *redis.Broker, rooms ...string) {
	t.Helper()
	if err := b.Subscribe(t.Context(), rooms...); err != nil {
		t.Fatal(err)
	}
}

func publish(t testing.TB, b *redis.Broker, room string, p broker.Publication) broker.Result {
	t.Helper()
	res, err := b.Publish(t.Context(), room, p)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func wait(t testing.TB, rec *brokertest.Recorder, what string, done func(*brokertest.Recorder) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := rec.Wait(ctx, done); err != nil {
		t.Fatalf("waiting for %s: %v; heard: %s", what, err, rec)
	}
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// live waits until the receiver was told so many times that the broker is back.
func live(t testing.TB, rec *brokertest.Recorder, times int) {
	t.Helper()
	wait(t, rec, "the broker to be back", func(r *brokertest.Recorder) bool {
		s := r.States()
		return len(s) >= 2*times && s[len(s)-1] == broker.Live
	})
}

// load publishes numbers to a room with history from one goroutine, each with an idempotency key and again
// until it is accepted. It is what a careful application does.
type load struct {
	t     testing.TB
	b     *redis.Broker
	room  string
	ctx   context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup
	sent  atomic.Int64
	tries atomic.Int64
}

func startLoad(t testing.TB, b *redis.Broker, room string) *load {
	l := &load{t: t, b: b, room: room}
	l.ctx, l.stop = context.WithCancel(t.Context())
	l.tasks.Go(l.run)
	t.Cleanup(l.end)
	return l
}

func (l *load) run() {
	for l.ctx.Err() == nil {
		n := l.sent.Load()
		p := broker.Publication{Data: fmt.Append(nil, n), IdempotencyKey: fmt.Sprint("key-", n), Retention: kept}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), 5*time.Second)
		_, err := l.b.Publish(ctx, l.room, p)
		cancel()
		l.tries.Add(1)
		if err == nil {
			l.sent.Add(1)
			time.Sleep(200 * time.Microsecond)
			continue
		}
		if !errors.Is(err, broker.ErrUnavailable) {
			l.t.Errorf("Publish: %v, want ErrUnavailable", err)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// more waits until n more messages were accepted.
func (l *load) more(n int64) {
	l.t.Helper()
	want := l.sent.Load() + n
	eventually(l.t, "messages to be accepted", func() bool { return l.sent.Load() >= want })
}

func (l *load) end() {
	l.stop()
	l.tasks.Wait()
}

// complete ends the load and checks that the receiver has all of it: each message once, in order. Where
// lossy is set messages may be missing if a gap is in their place.
func (l *load) complete(rec *brokertest.Recorder, lossy bool) {
	l.t.Helper()
	l.end()
	sent := l.sent.Load()
	last := fmt.Sprint(sent - 1)
	wait(l.t, rec, "message "+last, func(r *brokertest.Recorder) bool {
		e := r.Events(l.room)
		return len(e) > 0 && e[len(e)-1].Message != nil && string(e[len(e)-1].Message.Data) == last
	})
	next, gaps := 0, 0
	excused := false
	for _, e := range rec.Events(l.room) {
		if e.Gap != nil {
			gaps++
			excused = true
			continue
		}
		var n int
		if _, err := fmt.Sscan(string(e.Message.Data), &n); err != nil {
			l.t.Fatal(err)
		}
		if n != next && !excused {
			l.t.Fatalf("message %d after %d, without a gap", n, next-1)
		}
		if n < next && !lossy {
			l.t.Fatalf("message %d twice", n)
		}
		next, excused = n+1, false
	}
	if gaps > 0 && !lossy {
		l.t.Errorf("%d gaps, want none: nothing was lost", gaps)
	}
	l.t.Logf("%d messages in %d tries, %d gaps", sent, l.tries.Load(), gaps)
}
