// Eventbus is two services that share only Redis. An API writes to its store and publishes each change. A hub delivers
// the changes. The API has no hub, holds no connection of a client, and does not know how many hubs there
// are. Start each in a terminal of its own:
//
//	go run ./examples/eventbus hub
//	go run ./examples/eventbus api
//	go run ./examples/eventbus watch order:7 news
//	curl -X PUT -d '{"status":"shipped"}' http://127.0.0.1:8083/orders/7
//
// Any program that can reach Redis can publish too. To a room without history it is a plain
// PUBLISH of one JSON value, to the channel "hubkit:{room}" (SPUBLISH in a Redis Cluster):
//
//	redis-cli PUBLISH 'hubkit:{news}' '{"text":"closing at six"}'
//
// A room with history keeps its messages and numbers them. To publish there, run the script of the broker. The
// history of the two services has 100 messages and one hour (in milliseconds):
//
//	redis-cli --eval broker/redis/script/publish.lua \
//	    'hubkit:{order:7}:meta' 'hubkit:{order:7}:log' 'hubkit:{order:7}:idem' , \
//	    'hubkit:{order:7}' PUBLISH '{"id":"7","status":"delivered"}' '' 0 100 3600000 2592000000 300000 delivered-7
//
// The arguments after the channel and the verb are: the payload; a conflation key, empty here; flags, 0 for text; the
// size and age of the history; how long its numbers outlive it, 30 days; how long the idempotency key is
// remembered, five minutes; and the idempotency key. The same line again stores nothing.
//
// Everybody may read here, because there is no login. examples/existing shows authorization. Clients cannot publish.
//
// api.go writes and publishes, hub.go delivers, and watch.go is a client.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// The rooms of both services: one for each order, with the history that kept says, and "news" without.
const orderRooms = "order:"

// kept is the history of an order's room, for the API and for the hub.
var kept = broker.Retention{Size: 100, TTL: time.Hour}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "eventbus:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("unknown or missing command; run eventbus hub, eventbus api, or eventbus watch ROOM")

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	fs := flag.NewFlagSet("eventbus "+args[0], flag.ContinueOnError)
	redisAddr := fs.String("redis", "127.0.0.1:6379", "`address` of Redis")
	switch args[0] {
	case "api":
		addr := fs.String("addr", "127.0.0.1:8083", "`address` to listen on")
		if err := fs.Parse(args[1:]); err != nil {
			return err
		}
		return runAPI(ctx, *addr, *redisAddr, stdout)
	case "hub":
		addr := fs.String("addr", "127.0.0.1:8082", "`address` to listen on")
		if err := fs.Parse(args[1:]); err != nil {
			return err
		}
		return runHub(ctx, *addr, *redisAddr, stdout)
	case "watch":
		url := fs.String("url", "ws://127.0.0.1:8082/ws", "`address` of the hub")
		if err := fs.Parse(args[1:]); err != nil {
			return err
		}
		return watch(ctx, *url, fs.Args(), stdout)
	}
	return errUsage
}

// serve serves until ctx ends. It returns when drain has returned and all requests are done. It calls drain first. During the
// drain the server answers new handshakes with 503 and a retry hint.
func serve(ctx context.Context, name, addr string, h http.Handler, drain func(context.Context) error, stdout io.Writer) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	var serving sync.WaitGroup
	serving.Go(func() { failed <- srv.Serve(ln) })
	_, _ = fmt.Fprintf(stdout, "eventbus: %s on http://%s\n", name, ln.Addr())
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = errors.Join(err, drain(end), srv.Shutdown(end))
	serving.Wait()
	return err
}
