package e2e_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/internal/testenv"
)

// patience is how long a test waits for what must come. No test is meant to need it.
const patience = 50 * time.Second

// ants, which the hub runs on, starts two goroutines when it is imported.
func TestMain(m *testing.M) { testenv.Main(m, goleak.IgnoreCurrent()) }

// start begins a test that leaves nothing behind.
func start(t *testing.T) context.Context {
	t.Helper()
	testenv.NoLeaks(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eager is a policy for tests, which have no thousands of clients to spread.
func eager(t testing.TB) client.Option {
	t.Helper()
	p, err := backoff.New(backoff.WithBase(2*time.Millisecond), backoff.WithCap(50*time.Millisecond))
	must(t, err)
	return client.WithBackoff(p)
}

// user is a client that runs.
type user struct {
	*client.Client
	t      testing.TB
	subs   map[string]*client.Subscription // made by subscribe
	states chan client.State               // when it connects and disconnects
	ended  chan error                      // what Run returned
}

// connect runs a client until the test ends.
func connect(t testing.TB, url string, opts ...client.Option) *user {
	t.Helper()
	u := newUser(t, url, opts...)
	u.run()
	return u
}

// newUser makes a client that is not running yet.
func newUser(t testing.TB, url string, opts ...client.Option) *user {
	t.Helper()
	u := &user{t: t, subs: make(map[string]*client.Subscription), states: make(chan client.State, 10_000), ended: make(chan error, 1)}
	opts = append([]client.Option{eager(t), client.OnState(func(s client.State) { u.states <- s })}, opts...)
	c, err := client.New(url, opts...)
	must(t, err)
	u.Client = c
	return u
}

func (u *user) run() {
	go func() { u.ended <- u.Run(context.Background()) }()
	u.t.Cleanup(func() { _ = u.Close() })
}

// await waits for a state.
func (u *user) await(ctx context.Context, want client.Status) client.State {
	u.t.Helper()
	for {
		select {
		case s := <-u.states:
			if s.Status == want {
				return s
			}
		case <-ctx.Done():
			u.t.Fatalf("the client was never %v", want)
		}
	}
}

// subscribe subscribes and waits until the client is in the room.
func (u *user) subscribe(ctx context.Context, room string, f func(client.Message), opts ...client.SubOption) *client.Subscription {
	u.t.Helper()
	s, err := u.Subscribe(room, f, opts...)
	must(u.t, err)
	must(u.t, s.Ready(ctx))
	u.subs[room] = s
	return s
}

// leave ends what subscribe began.
func (u *user) leave(ctx context.Context, room string) error {
	return u.subs[room].Unsubscribe(ctx)
}

// receive waits for a value.
func receive[T any](ctx context.Context, t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-ctx.Done():
		t.Fatalf("never came: %s", what)
		panic("unreachable")
	}
}

// await waits until cond holds.
func await(ctx context.Context, t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never came true: %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// as returns the E that err must be.
func as[E error](t testing.TB, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("got the error %v, want a %T", err, e)
	}
	return e
}
