// Existing adds a hub to the routes of an existing service. It uses the same server, the same login and the same session
// cookie.
//
//	go run ./examples/existing
//
// The page on http://127.0.0.1:8081 logs in, orders, and shows orders as they arrive. The same with curl:
//
//	curl -c jar -d user=ada http://127.0.0.1:8081/login
//	curl -b jar -d '{"item":"tea"}' http://127.0.0.1:8081/orders
//	curl -b jar http://127.0.0.1:8081/orders
//
// The service publishes each posted order to the room "orders:" plus the user's name. A user may join only that room:
// the hub reads the same sessions as the middleware of the other routes, and OnJoin compares the names. Only
// the service publishes.
//
// main.go has the routes, and realtime.go everything that the hub needs. session.go and orders.go are the service
// without the hub.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "existing:", err)
		os.Exit(1)
	}
}

//go:embed page
var files embed.FS

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("existing", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8081", "`address` to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	sessions := newSessions()
	h, err := newHub(sessions)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	page, err := fs.Sub(files, "page")
	if err != nil {
		return errors.Join(err, ln.Close(), h.Close())
	}
	orders := &orders{publish: publisher(h)}

	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("POST /login", sessions.login)
	mux.Handle("POST /logout", sessions.require(logout(sessions, h)))
	mux.Handle("GET /orders", sessions.require(http.HandlerFunc(orders.list)))
	mux.Handle("POST /orders", sessions.require(http.HandlerFunc(orders.create)))
	mux.Handle("GET /ws", h) // all it takes

	srv := &http.Server{
		// Other sites' pages cannot post with our users' cookies. The hub does the same for WebSockets.
		Handler:           http.NewCrossOriginProtection().Handler(mux),
		ReadHeaderTimeout: 5 * time.Second,
	}
	var serving sync.WaitGroup
	failed := make(chan error, 1)
	serving.Go(func() { failed <- srv.Serve(ln) })
	_, _ = fmt.Fprintf(stdout, "existing: http://%s\n", ln.Addr())

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// The hub first: while it drains, the server answers new handshakes with 503 and a retry hint. An order posted in this
	// time is in the list, although its publication fails.
	err = errors.Join(err, h.Shutdown(end), srv.Shutdown(end))
	serving.Wait()
	return err
}
