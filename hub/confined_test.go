package hub_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

const childRedis = "HUB_TEST_REDIS"

// confined is the child's main function: a service with a hub on Redis, as small as one can be.
func confined() error {
	retry, err := backoff.New(backoff.WithBase(20*time.Millisecond), backoff.WithCap(200*time.Millisecond))
	if err != nil {
		return err
	}
	b, err := redis.New([]string{os.Getenv(childRedis)}, redis.WithBackoff(retry), redis.WithDialTimeout(time.Second))
	if err != nil {
		return err
	}
	h, err := hub.New(hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("kept:*", hub.DefaultHistory()), hub.WithDrain(100*time.Millisecond),
		hub.WithHeartbeat(heartbeat.Disabled())) // most clients read little
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.Handle("/sse", h.SSE())
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "ready=%v bound=%d conns=%d", h.Ready(), h.Stats().Admission.MaxConns, h.Stats().Conns)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, h.Close())
	}
	guard, err := hub.NewEvictingListener(ln)
	if err != nil {
		return errors.Join(err, ln.Close(), h.Close())
	}
	srv := &http.Server{Handler: mux, ConnState: guard.ConnState, ReadHeaderTimeout: time.Hour}
	go func() { _ = srv.Serve(guard) }()
	fmt.Println(childReady, ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone, if it does not end this process before
	return errors.Join(h.Close(), srv.Close())
}
