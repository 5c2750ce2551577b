// Bot is a program in a chat room. It joins, greets new members, and answers. Start the chat first:
//
//	go run ./examples/chat
//	go run ./examples/bot -room chat:lobby -name Robot
//
// Then say "!help" in the room. Stop the chat and start it again: the bot reconnects by itself, and answers the messages
// that it missed.
//
// It shows package client: a typed subscription, presence, publications that do not block a callback, and
// an idempotency key, so that each answer is published once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/gohubkit/hubkit/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}

// run stays in the room until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("bot", flag.ContinueOnError)
	hub := fs.String("url", "ws://127.0.0.1:8080/ws", "`address` of the hub")
	room := fs.String("room", "chat:lobby", "`room` to join")
	name := fs.String("name", "Robot", "`name` to go by")
	if err := fs.Parse(args); err != nil {
		return err
	}
	address, err := withName(*hub, *name)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stdout, nil))
	c, err := client.New(address, client.OnState(func(s client.State) { logState(log, s) }))
	if err != nil {
		return err
	}
	b := &bot{client: c, log: log, room: *room, name: *name, greeted: make(map[string]bool)}
	if err := b.join(); err != nil {
		return err
	}
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// withName puts the name into the address, from which the chat reads it.
func withName(address, name string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("name", name)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func logState(log *slog.Logger, s client.State) {
	switch s.Status {
	case client.Connected:
		log.Info("connected", "conn", s.Conn, "node", s.Node)
	case client.Disconnected:
		log.Warn("disconnected", "err", s.Err, "retry_in", s.Wait)
	}
}
