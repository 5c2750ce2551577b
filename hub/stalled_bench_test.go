package hub_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

// BenchmarkStalledReader publishes to 1,000 readers, in turn with and without one more who reads nothing and whose backlog
// is full, and reports the 99th percentile of the time that a message takes to the readers, in milliseconds. An
// operation is fifty messages with him and fifty without.
func BenchmarkStalledReader(b *testing.B) {
	for _, bm := range []struct {
		policy hub.OverflowPolicy
		opts   []hub.RoomOption
	}{
		{policy: hub.OverflowDropOldest}, {policy: hub.OverflowDropNewest}, {policy: hub.OverflowConflate},
		{hub.OverflowReplay, []hub.RoomOption{hub.History(1000, time.Minute)}},
	} {
		b.Run(bm.policy.String(), func(b *testing.B) {
			benchStalled(b, append(bm.opts, hub.Overflow(bm.policy)))
		})
	}
}

func benchStalled(b *testing.B, opts []hub.RoomOption) {
	const readers, messages, every = 1000, 50, 20 * time.Millisecond
	tr := poller
	tr.sendBuffer = smallBuffers
	s := tr.start(b, hub.WithOpenRooms("*"), hub.WithRooms("news", opts...), hub.WithBacklog(64, 1<<20),
		hub.WithWriteTimeout(time.Hour), hub.WithHeartbeat(heartbeat.Disabled())) // he answers no ping
	var mu sync.Mutex
	var took []time.Duration
	var round sync.WaitGroup
	measuring := false
	for range readers {
		c := s.dial(b)
		c.ask(`{"op":"join","room":"news"}`)
		go func() {
			for {
				p, err := c.tryNext()
				if err != nil {
					return
				}
				now := time.Now().UnixNano()
				i := slices.Index(p, '#')
				if i < 0 { // not one of those that are measured
					round.Done()
					continue
				}
				sent, err := strconv.ParseInt(string(p[i+1:i+20]), 10, 64)
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				took = append(took, time.Duration(now-sent))
				mu.Unlock()
				round.Done()
			}
		}()
	}
	publish := func() {
		text := payload(0, 128)
		if measuring {
			text = append(append([]byte(`"#`), strconv.FormatInt(time.Now().UnixNano(), 10)...), text[1:]...)
		}
		round.Add(readers)
		if _, err := s.Publish(b.Context(), "news", text); err != nil {
			b.Fatal(err)
		}
	}
	measure := func() []time.Duration {
		took, measuring = nil, true
		for range messages {
			publish()
			time.Sleep(every)
		}
		round.Wait()
		measuring = false
		return took
	}
	conns := make(chan *hub.Conn, 1)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error { conns <- c; return nil })
	lost := func(c *hub.Conn) int64 {
		st := c.Stats()
		return st.Dropped + st.Conflated + int64(st.Replaying)
	}
	var with, without []time.Duration
	for b.Loop() {
		client := s.dialStalled(b, "news")
		for stalled := <-conns; lost(stalled) == 0; {
			publish() // until there is no place for him
			round.Wait()
		}
		with = append(with, measure()...)
		_ = client.ws.Close()
		await(b, "he is gone", func() bool { return s.Stats().Conns == readers })
		without = append(without, measure()...)
	}
	for name, d := range map[string][]time.Duration{"p99-ms-with": with, "p99-ms-without": without} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)*99/100])/1e6, name)
	}
}
