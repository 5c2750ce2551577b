// Command nbio is the benchmark server on lesismal/nbio, with its own HTTP engine and its poller, the
// mode its documentation gives for many connections.
package main

import (
	"context"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/bench/internal/rooms"
)

func main() { benchserver.Main(newBackend) }

type backend struct {
	upgrader *websocket.Upgrader
	rooms    rooms.Index[*websocket.Conn]
}

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	if cfg.Redis != "" {
		return nil, benchserver.ErrNoRedis
	}
	logging.SetLevel(logging.LevelError)
	b := &backend{upgrader: websocket.NewUpgrader()}
	b.upgrader.KeepaliveTime = 0
	b.upgrader.OnMessage(func(c *websocket.Conn, typ websocket.MessageType, msg []byte) {
		if c.Session() == rooms.Echo {
			_ = c.WriteMessage(typ, msg)
		}
	})
	b.upgrader.OnClose(func(c *websocket.Conn, _ error) {
		if room, ok := c.Session().(string); ok {
			b.rooms.Remove(room, c)
		}
	})
	return b, nil
}

func (b *backend) ListenAndServe(ctx context.Context, addr string, h http.Handler) error {
	e := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{addr},
		Handler:                 h,
		IOMod:                   nbhttp.IOModNonBlocking,
		ReleaseWebsocketPayload: true,
	})
	if err := e.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	e.Stop()
	return nil
}

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	c, err := b.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	if echo {
		room = rooms.Echo
	}
	// The engine runs OnClose of this connection after the handler.
	c.SetSession(room)
	b.rooms.Add(room, c)
}

func (b *backend) Publish(_ context.Context, room string, payload []byte) error {
	b.rooms.Each(room, func(c *websocket.Conn) { _ = c.WriteMessage(websocket.TextMessage, payload) })
	return nil
}

func (b *backend) Conns() int { return b.rooms.Len() }

// Drops is zero: what a socket does not take is kept without bound.
func (b *backend) Drops() int64 { return 0 }
