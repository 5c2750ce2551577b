// Command coder is the benchmark server on coder/websocket, with the architecture of its chat
// example: a bounded channel and one writing goroutine per subscriber, a slow one is closed.
package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/bench/internal/rooms"
)

func main() { benchserver.Main(newBackend) }

// writeTimeout is as the other servers have it; the example's 5 s is short for a full-rate burst.
const writeTimeout = 10 * time.Second

type subscriber struct {
	msgs chan []byte
	slow context.CancelFunc
}

type backend struct {
	queue int
	rooms rooms.Index[*subscriber]
	drops atomic.Int64
}

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	if cfg.Redis != "" {
		return nil, benchserver.ErrNoRedis
	}
	return &backend{queue: cfg.Queue}, nil
}

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	if echo {
		b.echo(r.Context(), c)
		return
	}
	b.subscribe(c.CloseRead(context.Background()), c, room)
}

func (b *backend) echo(ctx context.Context, c *websocket.Conn) {
	s := &subscriber{}
	b.rooms.Add(rooms.Echo, s)
	defer b.rooms.Remove(rooms.Echo, s)
	for {
		typ, msg, err := c.Read(ctx)
		if err != nil {
			return
		}
		if write(ctx, c, typ, msg) != nil {
			return
		}
	}
}

func (b *backend) subscribe(ctx context.Context, c *websocket.Conn, room string) {
	slow, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &subscriber{msgs: make(chan []byte, b.queue), slow: cancel}
	b.rooms.Add(room, s)
	defer b.rooms.Remove(room, s)
	for {
		select {
		case msg := <-s.msgs:
			if write(ctx, c, websocket.MessageText, msg) != nil {
				return
			}
		case <-slow.Done():
			_ = c.Close(websocket.StatusPolicyViolation, "too slow to keep up")
			return
		}
	}
}

func write(ctx context.Context, c *websocket.Conn, typ websocket.MessageType, msg []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.Write(ctx, typ, msg)
}

func (b *backend) Publish(_ context.Context, room string, payload []byte) error {
	b.rooms.Each(room, func(s *subscriber) {
		select {
		case s.msgs <- payload:
		default:
			b.drops.Add(1)
			s.slow()
		}
	})
	return nil
}

func (b *backend) Conns() int { return b.rooms.Len() }

func (b *backend) Drops() int64 { return b.drops.Load() }
