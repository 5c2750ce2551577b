package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/workerpool"
)

// server is the hub, the pool under it and the HTTP server around it.
type server struct {
	hub     *hub.Hub
	pool    *workerpool.Pool
	http    *http.Server
	serving sync.WaitGroup
	failed  error // of Serve
}

func newServer(ln net.Listener) (*server, error) {
	// A picture keeps a processor busy for a while. By default a pool leaves one processor free for everything else. It
	// refuses a call without capacity at once, with a retry hint.
	pool, err := workerpool.New(
		workerpool.WithQueue(32),
		workerpool.WithKeyShare(4), // unfinished calls of one connection
	)
	if err != nil {
		return nil, err
	}
	h, err := hub.New(hub.WithWorkerPool(pool), hub.WithDrain(time.Second))
	if err != nil {
		return nil, errors.Join(err, pool.Close(context.Background()))
	}
	err = errors.Join(
		h.Handle("mandelbrot", hub.Typed(mandelbrot), hub.Heavy()),
		h.Handle("mandelbrot-inline", hub.Typed(mandelbrot)), // what not to do
		h.Handle("echo", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) {
			return json.RawMessage(data), nil
		}))
	if err != nil {
		return nil, errors.Join(err, h.Close(), pool.Close(context.Background()))
	}

	mux := http.NewServeMux()
	mux.Handle("GET /ws", h)
	s := &server{hub: h, pool: pool, http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}
	s.serving.Go(func() { s.failed = s.http.Serve(ln) })
	return s, nil
}

// close ends everything that newServer began. The hub comes first: while it drains, the server answers new handshakes with
// 503 and a retry hint. The pool comes last, because the hub uses it.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := errors.Join(s.hub.Shutdown(ctx), s.http.Shutdown(ctx), s.pool.Close(ctx))
	s.serving.Wait()
	if !errors.Is(s.failed, http.ErrServerClosed) {
		err = errors.Join(err, s.failed)
	}
	return err
}
