package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/broker/redis"
	hubclient "github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// TestShutdownAnswersHeavyCalls: what runs and what waits on the worker pool is answered before the connection is closed,
// however short the window.
func TestShutdownAnswersHeavyCalls(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithDrain(time.Millisecond))
		started, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		s.Handle("work", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) {
			once.Do(func() { close(started) })
			<-release
			return json.RawMessage(data), nil
		}, hub.Heavy())
		busy, idle := s.dial(t), s.dial(t)
		for n := 1; n <= 3; n++ {
			busy.write(fmt.Sprintf(`{"op":"call","id":%d,"method":"work","data":%d}`, n, n))
		}
		finished(t, "the handler", started)
		await(t, "all calls are there", func() bool { st := s.Stats().Pool; return st.Running+st.Queued == 3 })
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		idle.hinted(protocol.CloseServiceRestart)
		await(t, "the idle one is gone", func() bool { return s.Stats().Conns == 1 })
		busy.write(`{"op":"call","id":4,"method":"work"}`) // too late
		close(release)
		for n := 1; n <= 3; n++ {
			busy.expect(fmt.Sprintf(`{"op":"ok","id":%d,"data":%d}`, n, n))
		}
		busy.hinted(protocol.CloseServiceRestart)
		if err := receive(t, "Shutdown", done); err != nil {
			t.Error(err)
		}
	})
}

// TestShutdownAnswersLightCalls: a call that is under way is answered before its connection is closed; what
// the client sent after it is not.
func TestShutdownAnswersLightCalls(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithDrain(time.Millisecond))
		started, release := make(chan struct{}), make(chan struct{})
		s.Handle("slow", func(context.Context, *hub.Conn, []byte) (any, error) {
			close(started)
			<-release
			return "slow", nil
		})
		busy, idle := s.dial(t), s.dial(t)
		busy.write(`{"op":"call","id":1,"method":"slow"}`)
		busy.write(`{"op":"ping","id":2}`) // is not looked at any more
		finished(t, "the handler", started)
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		idle.hinted(protocol.CloseServiceRestart)
		await(t, "the idle one is gone", func() bool { return s.Stats().Conns == 1 })
		close(release)
		busy.expect(`{"op":"ok","id":1,"data":"slow"}`)
		busy.hinted(protocol.CloseServiceRestart)
		if err := receive(t, "Shutdown", done); err != nil {
			t.Error(err)
		}
	})
}

// TestShutdownWhilePoolIsFull: a connection whose share of the pool is used up is closed all the same.
func TestShutdownWhilePoolIsFull(t *testing.T) {
	s := start(t, hub.WithDrain(time.Millisecond), hub.WithWorkerPool(newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(1), workerpool.WithKeyShare(1))))
	started, release := make(chan struct{}), make(chan struct{})
	s.Handle("work", func(context.Context, *hub.Conn, []byte) (any, error) {
		close(started)
		<-release
		return nil, nil
	}, hub.Heavy())
	c := s.dial(t)
	c.write(`{"op":"call","id":1,"method":"work"}`)
	finished(t, "the handler", started)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	await(t, "the hub drains", func() bool { return !s.Ready() })
	close(release)
	c.expect(`{"op":"ok","id":1}`)
	c.hinted(protocol.CloseServiceRestart)
	if err := receive(t, "Shutdown", done); err != nil {
		t.Error(err)
	}
}

// pair are two hubs on one Redis, and a balancer before them that asks which is ready.
type pair struct {
	nodes [2]*server
	first atomic.Int32 // the one that it prefers
}

func newPair(t *testing.T, opts ...hub.Option) *pair {
	t.Helper()
	r := redistest.Start(t)
	p := new(pair)
	for i := range p.nodes {
		b, err := redis.New([]string{r.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		p.nodes[i] = start(t, append([]hub.Option{hub.WithNode(fmt.Sprint("n", i)), hub.WithBroker(b)}, opts...)...)
	}
	return p
}

func (p *pair) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	s := p.nodes[p.first.Load()]
	if !s.Ready() {
		s = p.nodes[1-p.first.Load()]
	}
	return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(s.url, "ws://"))
}

// TestDrainLosesNothing: a node is shut down while messages are published. Its clients go over to the other node, once, when they
// were told to, and have every message, in order; what the node that leaves says of itself is seen by the other.
func TestDrainLosesNothing(t *testing.T) {
	const clients = 40
	p := newPair(t, hub.WithRooms("log", hub.History(100_000, time.Hour)), hub.WithOpenRooms("log"),
		hub.WithAdmission(200, 200), hub.WithDrain(2*time.Second))
	stays := p.nodes[1]
	type member struct {
		seen      atomic.Int64
		connected atomic.Int64
		client    *hubclient.Client
	}
	policy, err := backoff.New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	members := make([]*member, clients)
	for i := range members {
		m := new(member)
		members[i] = m
		m.client, err = hubclient.New("ws://hub.test/ws", hubclient.WithDialer(p.dial), hubclient.WithBackoff(policy),
			hubclient.OnState(func(s hubclient.State) {
				if s.Status == hubclient.Connected {
					m.connected.Add(1)
				}
			}))
		if err != nil {
			t.Fatal(err)
		}
		sub, err := m.client.Subscribe("log", func(msg hubclient.Message) {
			if want := fmt.Sprint(m.seen.Add(1)); string(msg.Data) != want {
				t.Errorf("client %d got %s, want %s", i, msg.Data, want)
			}
		}, hubclient.OnGap(func(g hubclient.Gap) { t.Errorf("client %d has a gap: %+v", i, g) }))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = m.client.Run(ctx) })
		if err := sub.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	published := int64(0)
	publish := func(s *server) {
		published++
		data, key := fmt.Append(nil, published), hub.IdempotencyKey(fmt.Sprint(published), 0)
		_, err := s.Publish(ctx, "log", data, key)
		if err != nil && s != stays { // its last connection has gone meanwhile, and whether Redis has the message is unknown
			_, err = stays.Publish(ctx, "log", data, key)
		}
		if err != nil {
			t.Errorf("publish: %v", err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- p.nodes[0].Shutdown(context.Background()) }()
	drains := func() bool {
		nodes, err := stays.Nodes(ctx)
		for _, n := range nodes {
			if n.ID == "n0" {
				return n.Draining && n.AdmitRate == 200 && n.Capacity > 0
			}
		}
		return err == nil && len(nodes) == 1 // it is gone already
	}
	await(t, "the other knows", drains)
	for left := true; left; {
		publish(stays)
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			left = false
		case <-time.After(2 * time.Millisecond):
			if p.nodes[0].Stats().Conns > 0 {
				publish(p.nodes[0]) // which publishes to the last
			}
		}
	}
	await(t, "all are back", func() bool { return stays.Stats().Conns == clients })
	publish(stays)
	for i, m := range members {
		await(t, fmt.Sprintf("client %d has all %d", i, published), func() bool { return m.seen.Load() == published })
		if n := m.connected.Load(); n != 2 {
			t.Errorf("client %d connected %d times", i, n)
		}
	}
	if st := stays.Stats(); st.Admission.Resumed != clients || st.Refused != 0 {
		t.Errorf("stats %+v", st)
	}
}
