// Command chat is the benchmark server with the architecture of gorilla/websocket's chat example: a
// hub goroutine per room, a read and a write pump per client, queued messages joined into one.
package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
)

func main() { benchserver.Main(newBackend) }

type backend struct {
	queue    int
	upgrader websocket.Upgrader
	conns    atomic.Int64
	drops    atomic.Int64

	mu   sync.Mutex
	hubs map[string]*hub
}

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	if cfg.Redis != "" {
		return nil, benchserver.ErrNoRedis
	}
	return &backend{
		queue:    cfg.Queue,
		upgrader: websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024},
		hubs:     make(map[string]*hub),
	}, nil
}

// hub returns the room's hub, which lives as long as the process.
func (b *backend) hub(room string) *hub {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hubs[room]
	if h == nil {
		h = newHub(&b.conns, &b.drops)
		b.hubs[room] = h
		go h.run()
	}
	return h
}

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	conn, err := b.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	if echo {
		b.conns.Add(1)
		go func() {
			defer b.conns.Add(-1)
			echoPump(conn)
		}()
		return
	}
	c := &client{hub: b.hub(room), conn: conn, send: make(chan []byte, b.queue)}
	c.hub.register <- c
	go c.writePump()
	go c.readPump()
}

func (b *backend) Publish(ctx context.Context, room string, payload []byte) error {
	select {
	case b.hub(room).broadcast <- payload:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *backend) Conns() int { return int(b.conns.Load()) }

func (b *backend) Drops() int64 { return b.drops.Load() }
