package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
)

// runHub serves a hub without application logic.
func runHub(ctx context.Context, addr, redisAddr string, stdout io.Writer) error {
	b, err := redis.New([]string{redisAddr})
	if err != nil {
		return err
	}
	h, err := hub.New(
		hub.WithBroker(b),
		hub.WithRooms(orderRooms+"*", hub.History(kept.Size, kept.TTL)),
		hub.WithDrain(time.Second),
	)
	if err != nil {
		return err
	}
	h.OnJoin(func(_ context.Context, _ *hub.Conn, room string) error {
		if room == "news" || strings.HasPrefix(room, orderRooms) {
			return nil // a real one asks whose order it is
		}
		return hub.ErrForbidden
	})
	mux := http.NewServeMux()
	mux.Handle("GET /ws", h)
	return serve(ctx, "hub", addr, mux, h.Shutdown, stdout)
}
