package benchserver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/payload"
)

// BenchResult is the answer of POST /bench.
type BenchResult struct {
	Published int     `json:"published"`
	Errors    int     `json:"errors"`
	Seconds   float64 `json:"seconds"`
}

// job is what POST /bench asks for.
type job struct {
	room                       string
	n, size, rooms, publishers int
	rate                       float64
}

func parseJob(r *http.Request) (job, error) {
	q := r.URL.Query()
	j := job{room: q.Get("room"), publishers: 1}
	for name, p := range map[string]*int{"n": &j.n, "size": &j.size, "rooms": &j.rooms, "publishers": &j.publishers} {
		s := q.Get(name)
		if s == "" {
			continue
		}
		v, err := strconv.Atoi(s)
		if err != nil || v < 0 {
			return job{}, fmt.Errorf("%s=%q: not a count", name, s)
		}
		*p = v
	}
	if s := q.Get("rate"); s != "" {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= 0) {
			return job{}, fmt.Errorf("rate=%q: not a rate", s)
		}
		j.rate = v
	}
	return j, nil
}

// run publishes and waits. Each room belongs to one publisher, so that its messages keep their order.
func (j job) run(ctx context.Context, b Backend) BenchResult {
	rooms := []string{j.room}
	if j.rooms > 0 {
		rooms = rooms[:0]
		for i := range j.rooms {
			rooms = append(rooms, j.room+strconv.Itoa(i))
		}
	}
	var published, errors atomic.Int64
	var publishers sync.WaitGroup
	start := time.Now()
	step := max(1, min(j.publishers, len(rooms)))
	for first := range step {
		publishers.Go(func() {
			for round := 0; round < j.n; round += len(rooms) {
				for k := first; k < len(rooms) && round+k < j.n; k += step {
					if !j.wait(ctx, start, round+k) {
						return
					}
					// One fresh payload per message: the backend keeps it.
					p := payload.New(j.size, time.Now().UnixNano())
					if err := b.Publish(ctx, rooms[k], p); err != nil {
						errors.Add(1)
						continue
					}
					published.Add(1)
				}
			}
		})
	}
	publishers.Wait()
	return BenchResult{int(published.Load()), int(errors.Load()), time.Since(start).Seconds()}
}

// wait returns when message i is due, false when ctx has ended.
func (j job) wait(ctx context.Context, start time.Time, i int) bool {
	if j.rate > 0 {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i) / j.rate * float64(time.Second)))))
	}
	return ctx.Err() == nil
}
