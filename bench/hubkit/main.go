// Command hubkit is the benchmark server on hubkit: raw frames by default, and with -protocol v1 its own
// protocol, with an identity for every connection. With -fast the hub accepts the connections itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
)

var (
	protocolFlag = flag.String("protocol", "raw", "`raw` or v1")
	fastFlag     = flag.Bool("fast", false, "accept connections by Hub.Serve and not by net/http")
)

func main() { benchserver.Main(newBackend) }

type backend struct {
	hub   *hub.Hub
	v1    bool
	users atomic.Int64
	ready atomic.Int64
}

type (
	echoKey struct{}
	roomKey struct{}
)

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	b := &backend{}
	opts := []hub.Option{
		hub.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
		hub.WithBacklog(max(cfg.Queue, 256), 64<<20),
		hub.WithoutRateLimit(),
		hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			return hub.Identity{User: "user-" + strconv.FormatInt(b.users.Add(1), 10)}, nil
		}),
	}
	switch *protocolFlag {
	case "raw":
		opts = append(opts, hub.WithRaw())
	case "v1":
		b.v1 = true
		opts = append(opts, hub.WithOpenRooms("*"))
	default:
		return nil, fmt.Errorf("unknown protocol %q", *protocolFlag)
	}
	if cfg.Redis != "" {
		rb, err := redis.New([]string{cfg.Redis})
		if err != nil {
			return nil, err
		}
		opts = append(opts, hub.WithBroker(rb))
	}
	if cfg.History { // which needs v1
		opts = append(opts, hub.WithRooms("*", hub.History(benchserver.HistorySize, benchserver.HistoryTTL)))
	}
	h, err := hub.New(opts...)
	if err != nil {
		return nil, err
	}
	b.hub = h
	h.OnHandshake(func(r *http.Request, c *hub.Conn) error {
		if q := r.Form; q.Get("echo") == "1" {
			c.Set(echoKey{}, true)
		} else if !b.v1 { // whose clients join by themselves
			c.Set(roomKey{}, q.Get("room"))
		}
		return nil
	})
	h.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		defer b.ready.Add(1) // a member by then; OnDisconnect takes it back, if it failed too
		if room, ok := c.Get(roomKey{}).(string); ok {
			c.Set(roomKey{}, nil)
			return c.Join(ctx, room)
		}
		return nil
	})
	h.OnDisconnect(func(context.Context, *hub.Conn, error) { b.ready.Add(-1) })
	h.OnMessage(func(_ context.Context, c *hub.Conn, m hub.Message) {
		if c.Get(echoKey{}) == nil {
			return
		}
		if m.Binary {
			_ = c.SendBinary(m.Data)
		} else {
			_ = c.Send(m.Data)
		}
	})
	return b, nil
}

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, _ string, _ bool) {
	b.hub.ServeHTTP(w, r)
}

// Serve implements benchserver.Server.
func (b *backend) Serve(srv *http.Server, l net.Listener) error {
	if *fastFlag {
		return b.hub.Serve(srv, l)
	}
	return srv.Serve(l)
}

func (b *backend) Publish(ctx context.Context, room string, payload []byte) error {
	if b.v1 {
		// Data is JSON; there is nothing to escape in a payload.
		quoted := append(make([]byte, 0, len(payload)+2), '"')
		payload = append(append(quoted, payload...), '"')
	}
	_, err := b.hub.Publish(ctx, room, payload)
	return err
}

func (b *backend) Conns() int { return int(b.ready.Load()) }

func (b *backend) Drops() int64 { return b.hub.Stats().Dropped }

func (b *backend) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := b.hub.Shutdown(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintln(os.Stderr, err)
	}
	return nil
}
