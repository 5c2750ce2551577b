package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/workerpool"
)

// TestSaturatedPool: while every worker is held and the queue is full, callers hear "busy" and when to come back; light
// calls and broadcasts go on; and heartbeats cut nobody, those whose handlers run long included.
func TestSaturatedPool(t *testing.T) {
	const workers, queue, pings = 2, 3, 2
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it waits for heartbeats
		pool := newPool(t, workerpool.WithWorkers(workers), workerpool.WithQueue(queue))
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithWorkerPool(pool),
			hub.WithHeartbeat(heartbeat.Policy{Interval: 3 * time.Second, Timeout: 3 * time.Second}))
		release := make(chan struct{})
		s.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) {
			<-release
			return "done", nil
		}, hub.Heavy())
		s.Handle("light", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) { return json.RawMessage(data), nil })

		answers := make(chan string, workers+queue)
		for range workers + queue {
			c := s.dial(t)
			c.write(`{"op":"call","id":1,"method":"heavy"}`)
			go func() { // which answers pings
				p, err := c.tryNext()
				answers <- fmt.Sprint(string(p), err)
			}()
		}
		await(t, "the pool is full", func() bool {
			st := s.Stats().Pool
			return st.Running == workers && st.Queued == queue
		})
		light, check := s.dial(t), s.bystander(t, "news")
		sent := s.Stats().Heartbeat.Pings
		for i := 0; s.Stats().Heartbeat.Pings < sent+pings*(workers+queue); i++ {
			if r := light.ask(`{"op":"call","id":2,"method":"heavy"}`); r.ID != 2 || r.Code != "busy" || r.RetryAfter <= 0 {
				t.Fatalf("got %+v, want busy and when to come back", r)
			}
			want := fmt.Sprint(i)
			if r := light.ask(`{"op":"call","id":3,"method":"light","data":` + want + `}`); r.ID != 3 || string(r.Data) != want {
				t.Fatalf("got %+v, want the answer %s", r, want)
			}
			check()
			time.Sleep(20 * time.Millisecond) // within the rate limit
		}
		if st := s.Stats(); st.Heartbeat.Expired != 0 || st.Conns != workers+queue+2 || st.Pool.Rejected == 0 {
			t.Errorf("%d expired, %d connected, %d refused by the pool", st.Heartbeat.Expired, st.Conns, st.Pool.Rejected)
		}
		close(release)
		for range workers + queue {
			if got := receive(t, "an answer", answers); got != `{"op":"ok","id":1,"data":"done"}<nil>` {
				t.Errorf("got %s", got)
			}
		}
	})
}
