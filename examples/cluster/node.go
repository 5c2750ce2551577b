package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
)

// room is the room of the page. Its history bridges the time between two nodes.
const room = "board"

var kept = broker.Retention{Size: 10_000, TTL: 10 * time.Minute}

//go:embed page
var files embed.FS

// runNode runs one node of many: a hub on Redis, with its name in a cookie and a route for its readiness, which the load
// balancer checks.
func runNode(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("cluster node", flag.ContinueOnError)
	name := fs.String("name", "", "")
	addr := fs.String("addr", "", "")
	server := fs.String("redis", "", "")
	drain := fs.Duration("drain", 0, "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	b, err := redis.New([]string{*server}, redis.WithClientName(*name))
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	h, err := hub.New(
		hub.WithBroker(b),
		hub.WithNode(*name), // as the load balancer calls it
		hub.WithAffinity(hub.Affinity{}),
		hub.WithTrustedProxies("127.0.0.1"), // who says what the client's address is, and whether it came by https
		hub.WithRooms(room, hub.History(kept.Size, kept.TTL)),
		hub.WithOpenRooms(room),
		hub.WithDrain(*drain),
	)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	handler, err := routes(h, stop)
	if err != nil {
		return errors.Join(err, ln.Close(), h.Close())
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	failed := make(chan error, 1)
	serving.Go(func() { failed <- srv.Serve(ln) })
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	// The hub first: while it drains, the server still answers. /readyz fails and handshakes get 503, so the load balancer
	// uses another node.
	end, cancel := context.WithTimeout(context.Background(), *drain+drainSlack)
	defer cancel()
	err = errors.Join(err, h.Shutdown(end), srv.Shutdown(end))
	serving.Wait()
	return err
}

// drainSlack is the time that the last connections have to end after the drain window.
const drainSlack = 5 * time.Second

// routes are a node's handlers. The dashboard calls drain to end the node.
func routes(h *hub.Hub, drain func()) (http.Handler, error) {
	page, err := fs.Sub(files, "page")
	if err != nil {
		return nil, err
	}
	// A service checks its own login here. This example allows requests from the same machine.
	local := func(r *http.Request) error {
		if !h.ClientAddr(r).IsLoopback() {
			return hub.ErrForbidden
		}
		return nil
	}
	d, err := dash.New(h,
		dash.WithAuthorizer(local),
		dash.WithActions(func(r *http.Request, _ dash.Action) error { return local(r) }),
		dash.WithPayloads(func(r *http.Request, _ string) error { return local(r) }),
		dash.WithDrain(drain),
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /dash/", d)
	mux.Handle("POST /dash/", d)
	mux.Handle("GET /ws", h)
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !h.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	return mux, nil
}
