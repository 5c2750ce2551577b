package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/workerpool"
	"github.com/gorilla/websocket"
)

func newPool(t *testing.T, opts ...workerpool.Option) *workerpool.Pool {
	t.Helper()
	p, err := workerpool.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestHeavyOrder: frames of one connection are handled in order, whether they run on the pool or not, however
// many connections there are.
func TestHeavyOrder(t *testing.T) {
	const conns, frames = 40, 120
	overEach(t, func(t *testing.T, tr transport) {
		pool := newPool(t, workerpool.WithWorkers(4), workerpool.WithQueue(conns*frames), workerpool.WithKeyShare(frames))
		s := tr.start(t, hub.WithWorkerPool(pool), hub.WithoutRateLimit(), hub.WithOpenRooms("*"))
		type record struct{ seen []int } // unguarded: the order makes it safe
		s.OnConnect(func(_ context.Context, c *hub.Conn) error {
			c.Set(key1{}, &record{})
			return nil
		})
		note := func(_ context.Context, c *hub.Conn, n int) (int, error) {
			r := c.Get(key1{}).(*record)
			r.seen = append(r.seen, n)
			return len(r.seen), nil
		}
		heavy := func(ctx context.Context, c *hub.Conn, n int) (int, error) {
			for range n % 5 {
				runtime.Gosched()
			}
			return note(ctx, c, n)
		}
		s.Handle("light", hub.Typed(note))
		s.Handle("heavy", hub.Typed(heavy), hub.Heavy())
		s.OnMessage(func(ctx context.Context, c *hub.Conn, m hub.Message) {
			var n int
			if err := json.Unmarshal(m.Data, &n); err != nil {
				t.Error(err)
			}
			if _, err := note(ctx, c, n); err != nil {
				t.Error(err)
			}
		})
		var wg sync.WaitGroup
		for i := range conns {
			c := s.dial(t)
			wg.Go(func() {
				for n := 1; n <= frames; n++ {
					frame := fmt.Sprintf(`{"op":"call","id":%d,"method":"light","data":%d}`, n, n)
					switch (n + i) % 4 {
					case 0, 1:
						frame = fmt.Sprintf(`{"op":"call","id":%d,"method":"heavy","data":%d}`, n, n)
					case 2:
						frame = fmt.Sprintf(`{"op":"send","id":%d,"data":%d}`, n, n)
					}
					if err := c.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			wg.Go(func() {
				for n := 1; n <= frames; n++ {
					p, err := c.tryNext()
					if err != nil {
						t.Error(err)
						return
					}
					var r reply
					if err := json.Unmarshal(p, &r); err != nil || r.Op != "ok" || r.ID != uint64(n) {
						t.Errorf("connection %d: got %s, want the answer to %d", i, p, n)
						return
					}
					if (n+i)%4 != 2 && string(r.Data) != fmt.Sprint(n) {
						t.Errorf("connection %d: frame %d was handled as number %s", i, n, r.Data)
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestHeavyBlocked: while a heavy handler is at work, its connection's next frames wait, its pings are answered, and
// other connections notice nothing.
func TestHeavyBlocked(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithWorkerPool(newPool(t, workerpool.WithWorkers(2))))
		started, release := make(chan struct{}), make(chan struct{})
		s.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) {
			started <- struct{}{}
			<-release
			return "done", nil
		}, hub.Heavy())
		s.Handle("quick", func(context.Context, *hub.Conn, []byte) (any, error) { return "quick", nil }, hub.Heavy())
		check := s.bystander(t, "news")
		c := s.dial(t)
		pongs := make(chan string, 1)
		c.ws.SetPongHandler(func(p string) error {
			pongs <- p
			return nil
		})
		c.write(`{"op":"call","id":1,"method":"heavy"}`)
		receive(t, "the handler", started)
		c.write(`{"op":"ping","id":2}`)
		c.write(`broken`)
		c.write(`{"op":"join","id":3,"room":"other"}`)
		if err := c.ws.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		check()
		other := s.dial(t)
		other.write(`{"op":"call","id":1,"method":"quick"}`)
		other.expect(`{"op":"ok","id":1,"data":"quick"}`)

		// The pong is read only together with a message: it must be there before those that waited.
		if err := s.SendUser(t.Context(), "nobody", []byte("1")); err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 10)
		go func() {
			for range 4 {
				p, err := c.tryNext()
				if err != nil {
					t.Error(err)
				}
				got <- string(p)
			}
		}()
		if p := receive(t, "pong", pongs); p != "p" {
			t.Errorf("pong %q", p)
		}
		if len(got) > 0 {
			t.Errorf("answered before its turn: %s", <-got)
		}
		close(release)
		for _, want := range []string{
			`{"op":"ok","id":1,"data":"done"}`,
			`{"op":"ok","id":2}`,
			`{"op":"error","code":"bad_request","message":"`,
			`{"op":"ok","id":3,"room":"other"}`,
		} {
			if p := receive(t, "answers", got); len(p) < len(want) || p[:len(want)] != want {
				t.Errorf("got %s, want %s", p, want)
			}
		}
	})
}

// TestHeavyBusy: what the pool has no capacity for is refused with a time to come back, heavy or not.
func TestHeavyBusy(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		pool := newPool(t, workerpool.WithWorkers(1), workerpool.WithKeyShare(2))
		s := tr.start(t, hub.WithWorkerPool(pool))
		started, release := make(chan struct{}, 10), make(chan struct{})
		s.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) {
			started <- struct{}{}
			<-release
			return nil, nil
		}, hub.Heavy())
		c := s.dial(t)
		c.write(`{"op":"call","id":1,"method":"heavy"}`)
		receive(t, "the handler", started)
		c.write(`{"op":"call","id":2,"method":"heavy"}`)
		for _, frame := range []string{`{"op":"call","id":3,"method":"heavy"}`, `{"op":"ping","id":3}`} {
			if r := c.ask(frame); r.Op != "error" || r.ID != 3 || r.Code != "busy" || r.RetryAfter <= 0 {
				t.Errorf("%s: got %+v, want busy and when to come back", frame, r)
			}
		}
		close(release)
		c.expect(`{"op":"ok","id":1}`, `{"op":"ok","id":2}`)
		c.alive()
		if st := s.Stats().Pool; st.Rejected != 2 || st.Completed < 2 {
			t.Errorf("pool: %+v", st)
		}
	})
}

// TestHeavyEndsWithConnection: what waits for its turn when the connection ends is not run any more, and what runs hears
// of the end.
func TestHeavyEndsWithConnection(t *testing.T) {
	s := start(t)
	started, ended := make(chan struct{}), make(chan error, 1)
	s.Handle("heavy", func(ctx context.Context, _ *hub.Conn, data []byte) (any, error) {
		if string(data) != "1" {
			t.Errorf("call %s ran", data)
		}
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, nil
	}, hub.Heavy())
	c := s.dial(t)
	c.write(`{"op":"call","id":1,"method":"heavy","data":1}`)
	c.write(`{"op":"call","id":2,"method":"heavy","data":2}`)
	receive(t, "the handler", started)
	_ = c.ws.Close()
	if err := receive(t, "the end", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Err %v", err)
	}
	s.shutdown(t)
}

// TestCloseWaitsForHeavy: a hub is closed only when its handlers have returned, on a shared pool too.
func TestCloseWaitsForHeavy(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			var opts []hub.Option
			if shared {
				opts = one(hub.WithWorkerPool(newPool(t)))
			}
			s := start(t, opts...)
			started, release := make(chan struct{}), make(chan struct{})
			s.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) {
				close(started)
				<-release
				return nil, nil
			}, hub.Heavy())
			s.dial(t).write(`{"op":"call","id":1,"method":"heavy"}`)
			receive(t, "the handler", started)
			done := make(chan error, 1)
			go func() { done <- s.Close() }()
			select {
			case err := <-done:
				t.Errorf("Close returned %v while a handler ran", err)
				close(release)
				return
			case <-time.After(50 * time.Millisecond): // not waiting for anything: a wrong hub is quick
			}
			close(release)
			if err := receive(t, "Close", done); err != nil {
				t.Error(err)
			}
		})
	}
}
