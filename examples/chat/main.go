// Chat is a chat in the browser, on one hub or on many.
//
//	go run ./examples/chat
//
// serves it on http://127.0.0.1:8080. Open it in two tabs, pick two names, talk. Stop the server and
// start it again. The tabs show that they are reconnecting, and reconnect by themselves. They then send the text that
// you typed in that time, and show the messages that they missed. Two chats share rooms through Redis:
//
//	go run ./examples/chat -redis 127.0.0.1:6379 -node a -addr 127.0.0.1:8080
//	go run ./examples/chat -redis 127.0.0.1:6379 -node b -addr 127.0.0.1:8081
//
// The hub is mounted at /ws. A client needs no SDK to take part in a room whose name begins with "chat:";
// in the console of the browser:
//
//	ws = new WebSocket("ws://127.0.0.1:8080/ws")
//	ws.onmessage = (e) => console.log(e.data)
//	ws.send('{"op":"join","id":1,"room":"chat:lobby","history":10}')
//	ws.send('{"op":"publish","id":2,"room":"chat:lobby","data":{"name":"me","text":"hello"}}')
//
// This example has no authentication: a client chooses its name. examples/existing shows a hub behind a login.
//
// server.go has the hub and its routes. broker.go chooses between memory and Redis. state.go keeps the history over a
// restart. page/chat.js is the page. It uses the browser client, which the hub serves.
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

	"github.com/gohubkit/hubkit/hub"
)

func main() {
	ctx, stop := onSignal(context.Background())
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func onSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

type config struct {
	addr  string
	redis string
	node  string
	state string
	drain time.Duration
}

func parse(args []string) (config, error) {
	var c config
	fs := flag.NewFlagSet("chat", flag.ContinueOnError)
	fs.StringVar(&c.addr, "addr", "127.0.0.1:8080", "`address` to listen on")
	fs.StringVar(&c.redis, "redis", "", "`address` of a Redis that joins several servers, or the addresses of a cluster, separated by commas")
	fs.StringVar(&c.node, "node", "", "`name` of this server, unique among all on the same Redis (default random)")
	fs.StringVar(&c.state, "state", "", "`file` that keeps the history over a restart without Redis, \"-\" for none\n"+
		"(default in the user's cache directory, one for each address)")
	fs.DurationVar(&c.drain, "drain", 2*time.Second, "`time` over which Shutdown closes the connections")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return c, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	conf, err := parse(args)
	if err != nil {
		return err
	}
	// The port comes first: a second server on it must not take the first one's history.
	ln, err := net.Listen("tcp", conf.addr)
	if err != nil {
		return err
	}
	b, save, err := openBroker(conf)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	h, err := newHub(conf, b)
	if err != nil {
		return errors.Join(err, ln.Close(), save())
	}
	srv := &http.Server{Handler: routes(h), ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	failed := make(chan error, 1)
	serving.Go(func() { failed <- srv.Serve(ln) })
	_, _ = fmt.Fprintf(stdout, "chat: http://%s is node %s\n", ln.Addr(), h.Node())

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, shutdown(conf, h, srv), save())
	serving.Wait()
	return err
}

// drainSlack is the time that the last connections have to end after the drain window.
const drainSlack = 5 * time.Second

// shutdown drains the connections, then stops the server. A second signal ends it at once.
func shutdown(conf config, h *hub.Hub, srv *http.Server) error {
	ctx, stop := onSignal(context.Background())
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, conf.drain+drainSlack)
	defer cancel()
	// The hub first: the server does not know of hijacked connections and would not wait for them.
	err := h.Shutdown(ctx)
	if e := srv.Shutdown(ctx); e != nil {
		err = errors.Join(err, srv.Close())
	}
	return err
}
