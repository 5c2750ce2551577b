// Heavy runs a CPU-heavy handler on the worker pool beside a light one, and measures the latency of the light
// one.
//
//	go run ./examples/heavy
//
// starts a hub. Several clients call "mandelbrot" as fast as they get answers. The program prints how long another
// client's calls of "echo" take: before, with the pool, and for comparison with a handler that does
// the same work without [hub.Heavy]. With -o mandelbrot.png it draws one picture. With -serve it
// serves your own clients until it is stopped:
//
//	ws = new WebSocket("ws://127.0.0.1:8082/ws")
//	ws.onmessage = (e) => console.log(e.data)
//	ws.send('{"op":"call","id":1,"method":"mandelbrot","data":{"x":-0.75,"y":0.1,"width":0.01}}')
//	ws.send('{"op":"call","id":2,"method":"echo","data":"behind it, as it is the same connection"}')
//
// server.go makes the hub and its pool, mandelbrot.go is the work, and measure.go has the clients.
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
		fmt.Fprintln(os.Stderr, "heavy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("heavy", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8082", "`address` to listen on")
	serve := flags.Bool("serve", false, "serve until stopped, and measure nothing")
	callers := flags.Int("callers", 8, "`number` of clients that call the heavy handler")
	phase := flags.Duration("time", 3*time.Second, "`time` to measure each case for")
	file := flags.String("o", "", "draw one picture into a `file`, and measure nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *callers < 1 || *phase <= 0 {
		return errors.New("-callers and -time must be positive")
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	s, err := newServer(ln)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	if *serve {
		_, _ = fmt.Fprintf(stdout, "heavy: ws://%s/ws\n", ln.Addr())
		<-ctx.Done()
		return s.close()
	}
	m := &measurement{url: "ws://" + ln.Addr().String() + "/ws", callers: *callers, phase: *phase}
	if *file == "" {
		return errors.Join(m.run(ctx, stdout), s.close())
	}
	png, err := m.overview(ctx)
	if err == nil {
		err = os.WriteFile(*file, png, 0o600)
	}
	return errors.Join(err, s.close())
}
