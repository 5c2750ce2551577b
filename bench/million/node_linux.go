package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/payload"
)

// The small rooms keep so much.
const (
	historySize = 100
	historyTTL  = 10 * time.Minute
)

// Node is a hub process. Its exported methods are its orders.
type Node struct {
	hub  *hub.Hub
	addr string
}

// newNode starts a hub. What is not said here is as the library has it.
func newNode(spec nodeSpec) (*Node, error) {
	rb, err := redis.New([]string{spec.Redis})
	if err != nil {
		return nil, err
	}
	h, err := hub.New(
		hub.WithNode(spec.Name),
		hub.WithBroker(rb),
		hub.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
		hub.WithHeartbeat(heartbeat.Policy{Interval: spec.Interval, Timeout: spec.Timeout, Tick: spec.Tick}),
		hub.WithAuthenticator(authenticate),
		hub.WithRooms(smallRooms+"*", hub.History(historySize, historyTTL)),
		hub.WithOpenRooms(commonRoom, smallRooms+"*"),
	)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{KeepAlive: -1} // the heartbeat finds dead peers
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.Handle(streamPath, h.SSE())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := h.Serve(srv, l); err != nil {
			slog.Error("no more connections are accepted", "err", err)
		}
	}()
	return &Node{hub: h, addr: l.Addr().String()}, nil
}

func authenticate(r *http.Request) (hub.Identity, error) {
	user := r.URL.Query().Get("user")
	if user == "" {
		return hub.Identity{}, hub.ErrUnauthorized
	}
	return hub.Identity{User: user}, nil
}

// Address answers with where the hub listens, which it does by then.
func (n *Node) Address(_ None, addr *string) error {
	*addr = n.addr
	return nil
}

// Publish sends one message of so many bytes to the common room and answers when the broker has it.
func (n *Node) Publish(size int, _ *None) error {
	_, err := n.hub.Publish(context.Background(), commonRoom, message(size))
	return err
}

// message is a payload of so many bytes, stamped with this moment, as JSON.
func message(size int) []byte {
	b := append(make([]byte, 0, size+2), '"')
	return append(append(b, payload.New(size, time.Now().UnixNano())...), '"')
}

// Pace publishes to the small rooms at a rate and answers when all is stored.
func (n *Node) Pace(p Pace, r *Paced) error {
	r.Tops = make(map[int]uint64)
	for i := p.Begin; i < p.End; i++ {
		k := roomOf(i, p.Rooms)
		if k%p.Shares != p.Share { // a room's messages are all from one node
			continue
		}
		due := p.Start.Add(time.Duration(float64(i-p.Begin) / p.Rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		res, err := n.hub.Publish(context.Background(), smallRoom(k), message(p.Size))
		if err != nil {
			return err
		}
		r.Published++
		r.Tops[k] = res.Position.Offset
		r.Late = time.Since(due)
	}
	return nil
}

// Stats answers with the hub's figures.
func (n *Node) Stats(_ None, s *NodeStats) error {
	h := n.hub.Stats()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	*s = NodeStats{
		Conns: h.Conns, Rooms: h.Rooms, Users: h.Users,
		Delivered: h.Delivered, Dropped: h.Dropped, Replayed: h.Replayed, Gaps: h.Gaps,
		Pings: h.Heartbeat.Pings, Expired: h.Heartbeat.Expired,
		Closed:     make(map[int]int64),
		Goroutines: runtime.NumGoroutine(),
		Heap:       m.HeapInuse, Stack: m.StackInuse, Sys: m.Sys,
	}
	for code, n := range h.Closed {
		s.Closed[int(code)] = n
	}
	return nil
}
