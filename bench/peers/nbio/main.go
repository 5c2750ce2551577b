// Command nbio is the benchmark server on lesismal/nbio, with its own HTTP engine and its poller, the
// mode its documentation gives for many connections. With -mixed the first connections get goroutines, which its
// documentation has for fewer of them. Both are set as in its author's own comparison,
// https://github.com/lesismal/go-websocket-benchmark, frameworks/nbio_nonblocking and frameworks/nbio_mixed.
package main

import (
	"context"
	"flag"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/mempool"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/bench/internal/rooms"
)

// maxBlockingOnline is that comparison's, and the library's default: the connections beyond it go to the poller.
const maxBlockingOnline = 10000

// bufSize is that comparison's: a payload of 1 KiB and as much again.
const bufSize = 2048

var mixed = flag.Bool("mixed", false, "a goroutine for each of the first 10,000 connections, the poller for the others")

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
	mempool.DefaultMemPool = mempool.New(bufSize, 1<<30)
	b := &backend{upgrader: websocket.NewUpgrader()}
	b.upgrader.KeepaliveTime = 0
	// Blocking connections of -mixed keep the default BlockingModAsyncWrite, which the README has for broadcasts: the
	// comparison, which has only echoes, turns it off.
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
	mode := nbhttp.IOModNonBlocking
	if *mixed {
		mode = nbhttp.IOModMixed
	}
	e := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{addr},
		Handler:                 h,
		IOMod:                   mode,
		MaxBlockingOnline:       maxBlockingOnline,
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
