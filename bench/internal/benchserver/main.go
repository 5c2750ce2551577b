package benchserver

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
	"syscall"
	"time"
)

// Main is the whole of a server's main function. It exits with status 1 if the server cannot be
// built or cannot listen.
func Main(build func(Config) (Backend, error)) {
	var cfg Config
	flag.StringVar(&cfg.Addr, "addr", "127.0.0.1:8080", "listen on `host:port`")
	flag.StringVar(&cfg.Redis, "redis", "", "Redis at `host:port`, to join other processes")
	flag.BoolVar(&cfg.History, "history", false, "keep the newest messages of every room in Redis")
	flag.IntVar(&cfg.Queue, "queue", 256, "messages that may wait for one connection")
	flag.Parse()

	if err := run(cfg, build); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(cfg Config, build func(Config) (Backend, error)) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cfg.History && cfg.Redis == "" {
		return errors.New("benchserver: -history needs -redis")
	}
	b, err := build(cfg)
	if err != nil {
		return err
	}
	if c, ok := b.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	h := Handler(b)
	if l, ok := b.(Listener); ok {
		return l.ListenAndServe(ctx, cfg.Addr, h)
	}
	lc := net.ListenConfig{KeepAlive: -1} // as the README advises; the same for every server
	l, err := lc.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	serve := srv.Serve
	if s, ok := b.(Server); ok {
		serve = func(l net.Listener) error { return s.Serve(srv, l) }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
