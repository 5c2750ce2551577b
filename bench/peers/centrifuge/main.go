// Command centrifuge is the benchmark server on centrifugal/centrifuge: its WebSocket handler and JSON
// protocol, rooms as server-side subscriptions. With -batch it is set to collect messages per
// connection before it writes. With -read-buffer it has a smaller buffer for each connection.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
)

var batch = flag.Bool("batch", false, "collect messages for 10 ms before writing, and save memory where centrifuge can")

// A read buffer of its own is smaller than the 4 KiB that net/http leaves behind. "If set to a lower value can
// reduce memory usage per WebSocket connection": https://centrifugal.dev/docs/transports/websocket, read_buffer_size.
var readBuffer = flag.Int("read-buffer", 0, "`bytes` of a connection's read buffer; 0 for the one of net/http")

func main() { benchserver.Main(newBackend) }

type backend struct {
	node  *centrifuge.Node
	ws    *centrifuge.WebsocketHandler
	drops atomic.Int64
	// history: rooms keep messages, and subscriptions can be recovered.
	history bool
}

// wish is what the URL asked for, on its way to OnConnecting.
type wish struct {
	room string
	echo bool
}

type wishKey struct{}

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	node, err := centrifuge.New(centrifuge.Config{
		Name: cfg.Addr,
		// The bound is in bytes; 1 KiB covers a benchmark message and what is around it.
		ClientQueueMaxSize: max(1<<20, cfg.Queue<<10),
	})
	if err != nil {
		return nil, err
	}
	b := &backend{node: node, history: cfg.History}
	node.OnConnecting(b.connecting)
	node.OnConnect(b.connected)
	if cfg.Redis != "" {
		if err := useRedis(node, cfg.Redis); err != nil {
			return nil, err
		}
	}
	b.ws = centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		// As the other servers have it; 1 s by default, and too short for a full-rate burst.
		WriteTimeout:   10 * time.Second,
		ReadBufferSize: *readBuffer,
		// The comments of WebsocketConfig give both for many connections: the second "roughly halves the read loop's stack".
		UseWriteBufferPool:         *batch,
		ProcessCommandsOffReadLoop: *batch,
	})
	return b, node.Run()
}

func useRedis(node *centrifuge.Node, addr string) error {
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: addr})
	if err != nil {
		return err
	}
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{
		Shards: []*centrifuge.RedisShard{shard},
	})
	if err != nil {
		return err
	}
	node.SetBroker(broker)
	return nil
}

func (b *backend) connecting(ctx context.Context, _ centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
	want, ok := ctx.Value(wishKey{}).(wish)
	if !ok {
		return centrifuge.ConnectReply{}, fmt.Errorf("no room in the context")
	}
	reply := centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}
	if !want.echo {
		reply.Subscriptions = map[string]centrifuge.SubscribeOptions{want.room: {EnableRecovery: b.history}}
	}
	if *batch { // the comments of ConnectReply: fewer system calls, and a timer in place of a goroutine for each connection
		reply.WriteDelay = 10 * time.Millisecond
		reply.WriteWithTimer = true
		reply.MaxMessagesInFrame = -1
		reply.ReplyWithoutQueue = true
	}
	return reply, nil
}

func (b *backend) connected(c *centrifuge.Client) {
	// Echoes are calls: the protocol's own way to an answer, and cheaper than a message each way.
	c.OnRPC(func(e centrifuge.RPCEvent, cb centrifuge.RPCCallback) {
		cb(centrifuge.RPCReply{Data: e.Data}, nil)
	})
	c.OnDisconnect(func(e centrifuge.DisconnectEvent) {
		if e.Code == centrifuge.DisconnectSlow.Code || e.Code == centrifuge.DisconnectWriteError.Code {
			b.drops.Add(1)
		}
	})
}

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	ctx := context.WithValue(r.Context(), wishKey{}, wish{room, echo})
	b.ws.ServeHTTP(w, r.WithContext(ctx))
}

// Publish quotes the payload: in the JSON protocol data is a JSON value.
func (b *backend) Publish(_ context.Context, room string, payload []byte) error {
	data := make([]byte, 0, len(payload)+2)
	data = append(data, '"')
	data = append(data, payload...)
	data = append(data, '"')
	var opts []centrifuge.PublishOption
	if b.history {
		opts = append(opts, centrifuge.WithHistory(benchserver.HistorySize, benchserver.HistoryTTL))
	}
	_, err := b.node.Publish(room, data, opts...)
	return err
}

func (b *backend) Conns() int { return b.node.Hub().NumClients() }

func (b *backend) Drops() int64 { return b.drops.Load() }

func (b *backend) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return b.node.Shutdown(ctx)
}
