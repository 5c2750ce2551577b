// Stream shows the answers of a language model as they are written. A page asks by POST and reads by Server-Sent Events. Reload
// it in the middle of an answer: it continues where it was, and no token is missing or comes twice.
//
//	go run ./examples/stream
//
// serves it on http://127.0.0.1:8080. With curl:
//
//	curl -d '{"prompt":"Tell me about streams"}' http://127.0.0.1:8080/ask
//	curl -N 'http://127.0.0.1:8080/events?room=answer:…&history=10000'
//
// model.go is a simulated model that needs no key. server.go is everything else. docs/streams.md explains it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
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
		fmt.Fprintln(os.Stderr, "stream:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("stream", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:8080", "`address` to listen on")
	pace := fs.Duration("pace", 60*time.Millisecond, "`time` that the model takes for a token")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	s, err := newServer(*pace)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	_, _ = fmt.Fprintf(stdout, "stream: http://%s\n", ln.Addr())
	return s.serve(ctx, ln)
}
