package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/workerpool"
)

const (
	room = "broadcast"
	// publishEvery is the time between two broadcasts.
	publishEvery = 20 * time.Millisecond
	// beat is much quicker than a service's, to see many in a short time.
	beat = time.Second
)

// serverStats is what the server says at its end.
type serverStats struct {
	// Pings the hub sent, and connections it cut because an answer was late.
	Pings, Expired int64
}

// serve is the server's process. It says where it listens, and ends with stdin.
func serve(s setup, stdin io.Reader, stdout io.Writer) (err error) {
	var opts []workerpool.Option
	if s.Workers != 0 {
		n := s.Workers
		if n < 0 {
			n = runtime.GOMAXPROCS(0)
		}
		opts = append(opts, workerpool.WithWorkers(n), workerpool.WithQueue(8*n)) // short, so that some hear "busy"
	} else {
		opts = append(opts, workerpool.WithQueue(8))
	}
	pool, err := workerpool.New(opts...)
	if err != nil {
		return err
	}
	h, err := hub.New(hub.WithWorkerPool(pool), hub.WithLogger(slog.New(slog.DiscardHandler)), hub.WithOpenRooms(room),
		hub.WithHeartbeat(heartbeat.Policy{Interval: beat, Timeout: beat}))
	if err != nil {
		return errors.Join(err, pool.Close(context.Background()))
	}
	rounds := calibrate(s.Task)
	var how []hub.HandleOption
	if s.Pool {
		how = append(how, hub.Heavy())
	}
	err = errors.Join(
		h.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) { return compute(rounds), nil }, how...),
		h.Handle("light", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) { return json.RawMessage(data), nil }))
	if err != nil {
		return errors.Join(err, h.Close(), pool.Close(context.Background()))
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	out := json.NewEncoder(stdout)
	if err := out.Encode("ws://" + ln.Addr().String()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	published := make(chan error, 1)
	go func() { published <- publish(ctx, h) }()
	_, _ = io.Copy(io.Discard, stdin)
	cancel()
	st := h.Stats().Heartbeat
	err = errors.Join(<-published, h.Close(), srv.Close(), pool.Close(context.Background()))
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, out.Encode(serverStats{Pings: st.Pings, Expired: st.Expired}))
}

// publish publishes the time into the room, again and again.
func publish(ctx context.Context, h *hub.Hub) error {
	every := time.NewTicker(publishEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case due := <-every.C: // from here on it is the process's fault if it is late
			if _, err := h.Publish(ctx, room, strconv.AppendInt(nil, due.UnixNano(), 10)); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// burn computes until stdin ends.
func burn(stdin io.Reader) {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		close(ended)
	}()
	for {
		compute(100)
		select {
		case <-ended:
			return
		default:
		}
	}
}

// compute is pure computation without memory.
func compute(rounds int) int {
	var block [4096]byte
	sum := 0
	for range rounds {
		d := sha256.Sum256(block[:])
		copy(block[:], d[:])
		sum += int(d[0])
	}
	return sum
}

// calibrate finds how many rounds take so long, on a machine that does nothing else.
func calibrate(task time.Duration) int {
	const rounds = 200
	best := time.Hour
	for range 20 {
		start := time.Now()
		compute(rounds)
		best = min(best, time.Since(start))
	}
	return max(1, int(rounds*task/best))
}
