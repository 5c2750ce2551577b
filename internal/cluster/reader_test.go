package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// balancer leads clients to nodes that are there, as a load balancer would.
type balancer struct {
	nodes []*node
	next  atomic.Int64
}

func (b *balancer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var errs []error
	for range b.nodes {
		n := b.nodes[int(b.next.Add(1))%len(b.nodes)]
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, n.at())
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// reader has heard part of a load.
type reader struct {
	name string
	mu   sync.Mutex
	got  []item
	at   []protocol.Position
	gaps int
}

func (r *reader) take(data []byte, epoch string, offset uint64) {
	var i item
	if err := json.Unmarshal(data, &i); err != nil {
		i = item{-1, -1}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, i)
	r.at = append(r.at, protocol.Position{Epoch: []byte(epoch), Offset: offset})
}

func (r *reader) gap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaps++
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

// follow makes a reader of package client, which resumes by itself.
func follow(t testing.TB, b *balancer, room string) *reader {
	t.Helper()
	retry, err := backoff.New(backoff.WithBase(10*time.Millisecond), backoff.WithFirst(10*time.Millisecond), backoff.WithCap(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New("ws://nodes/ws", client.WithDialer(b.dial), client.WithBackoff(retry))
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{name: "client"}
	sub, err := c.Subscribe(room, func(m client.Message) { r.take(m.Data, m.Position.Epoch, m.Position.Offset) },
		client.OnGap(func(client.Gap) { r.gap() }), client.OnError(func(error) {}))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.Run(context.Background()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		_ = c.Close()
		running.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sub.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

// walk makes a reader that does what PROTOCOL.md says and no more: it resumes from the last position it heard, and
// takes everything that comes, so that a duplicate is seen.
func walk(t testing.TB, b *balancer, room string) *reader {
	t.Helper()
	r := &reader{name: "walker"}
	ctx, stop := context.WithCancel(context.Background())
	in := make(chan struct{})
	var walking sync.WaitGroup
	walking.Go(func() {
		var at protocol.Position
		for ready := sync.OnceFunc(func() { close(in) }); ctx.Err() == nil; {
			at = r.stroll(ctx, b, room, at, ready)
			time.Sleep(10 * time.Millisecond)
		}
	})
	t.Cleanup(func() {
		stop()
		walking.Wait()
	})
	select {
	case <-in:
	case <-time.After(patience):
		t.Fatal("a walker has not joined")
	}
	return r
}

// stroll is one connection. It returns the position to go on from.
func (r *reader) stroll(ctx context.Context, b *balancer, room string, at protocol.Position, ready func()) protocol.Position {
	d := websocket.Dialer{NetDialContext: b.dial, Subprotocols: []string{protocol.Subprotocol}, HandshakeTimeout: 5 * time.Second}
	ws, res, err := d.DialContext(ctx, "ws://nodes/ws", nil)
	if err != nil {
		return at
	}
	_ = res.Body.Close()
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer func() {
		stop()
		_ = ws.Close()
	}()
	type place struct {
		Room   string `json:"room"`
		Epoch  string `json:"epoch,omitempty"`
		Offset uint64 `json:"offset,omitempty"`
	}
	hello := struct {
		Op     string  `json:"op"`
		Resume []place `json:"resume"`
	}{"hello", []place{{room, string(at.Epoch), at.Offset}}}
	if ws.WriteJSON(hello) != nil {
		return at
	}
	for {
		var f frame
		if ws.SetReadDeadline(time.Now().Add(time.Minute)) != nil || ws.ReadJSON(&f) != nil {
			return at
		}
		switch {
		case f.Room != room:
			continue
		case f.Op == "error":
			return at // "unavailable": come back
		case f.Op == "message":
			r.take(f.Data, f.Epoch, f.Offset)
		case f.Op == "gap":
			r.gap()
		case f.Op != "ok":
			continue
		}
		at = protocol.Position{Epoch: []byte(f.Epoch), Offset: f.Offset}
		ready()
	}
}

// crowd is readers of both kinds, half and half.
func crowd(t testing.TB, b *balancer, room string, n int) (readers []*reader) {
	t.Helper()
	for i := range n {
		if i%2 == 0 {
			readers = append(readers, follow(t, b, room))
		} else {
			readers = append(readers, walk(t, b, room))
		}
	}
	return readers
}
