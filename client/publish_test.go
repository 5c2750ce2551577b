package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// TestOfflineQueue sends on return what was published before there was a connection, in order.
func TestOfflineQueue(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url, client.WithQueue(5, 1<<20))
	var pubs []*client.Publication
	for i := range 5 {
		p, err := c.PublishAsync("r", fmt.Append(nil, i))
		if err != nil {
			t.Fatal(err)
		}
		pubs = append(pubs, p)
	}
	if _, err := c.PublishAsync("r", []byte("5")); !errors.Is(err, client.ErrQueueFull) {
		t.Error("publication beyond the bound returned", err)
	}
	if _, err := c.Call(t.Context(), "m", nil); !errors.Is(err, client.ErrQueueFull) {
		t.Error("call beyond the bound returned", err)
	}
	run(t, c)
	p, _ := s.greet()
	keys := make(map[string]bool)
	for i := range pubs {
		q := p.want(protocol.OpPublish)
		if q.Data != fmt.Sprint(i) || q.IdempotencyKey == "" {
			t.Errorf("publication %d is %+v", i, q)
		}
		keys[q.IdempotencyKey] = true
		p.ok(q.ID, "r", at(uint64(i+1)))
	}
	if len(keys) != len(pubs) {
		t.Errorf("%d keys for %d publications", len(keys), len(pubs))
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	for i, pub := range pubs {
		if pos, err := pub.Wait(t.Context()); err != nil || pos != at(uint64(i+1)) {
			t.Errorf("publication %d: %v, %v", i, pos, err)
		}
	}
	if _, err := c.PublishAsync("r", []byte("5")); err != nil {
		t.Error("publication after the queue was emptied returned", err)
	}
}

func TestQueueBoundInBytes(t *testing.T) {
	c := newClient(t, "ws://127.0.0.1:1", client.WithQueue(100, 1000))
	data := []byte(`"` + strings.Repeat("x", 400) + `"`)
	for range 2 {
		if _, err := c.PublishAsync("r", data); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.PublishAsync("r", data); !errors.Is(err, client.ErrQueueFull) {
		t.Error("third publication returned", err)
	}
	if _, err := c.PublishAsync("r", []byte("1")); err != nil {
		t.Error("a small one returned", err)
	}
}

// TestPublishExactlyOnce cuts connections at random points of a stream of publications and counts what
// a server that knows idempotency keys has stored.
func TestPublishExactlyOnce(t *testing.T) {
	const n = 300
	s := newServer(t)
	c := newClient(t, s.url, client.WithQueue(n, 1<<20), client.WithRate(1e9, n))
	run(t, c)
	var pubs []*client.Publication
	for i := range n {
		p, err := c.PublishAsync("r", fmt.Append(nil, i))
		if err != nil {
			t.Fatal(err)
		}
		pubs = append(pubs, p)
	}
	stored := make(map[string]uint64)
	var order []string
	sent := 0
	for cut := 7; len(order) < n; cut += 4 {
		p, _ := s.greet()
		for i := 0; i < cut && len(order) < n; i++ {
			q := p.want(protocol.OpPublish)
			sent++
			if stored[q.IdempotencyKey] == 0 {
				order = append(order, q.Data)
				stored[q.IdempotencyKey] = uint64(len(order))
			}
			if i%3 != 0 || len(order) == n { // every third answer is lost
				p.ok(q.ID, "r", at(stored[q.IdempotencyKey]))
			}
		}
		p.cut() // with the last, too: what has no answer comes again
	}
	p, _ := s.greet()
	var again sync.WaitGroup
	again.Go(func() {
		for {
			q, err := p.next()
			if err != nil {
				return
			}
			if sent++; stored[q.IdempotencyKey] == 0 {
				t.Errorf("%s was not stored before", q.Data)
			}
			p.ok(q.ID, "r", at(stored[q.IdempotencyKey]))
		}
	})
	for i, pub := range pubs {
		if pos, err := pub.Wait(t.Context()); err != nil || pos != at(uint64(i+1)) {
			t.Errorf("publication %d: %v, %v", i, pos, err)
		}
	}
	_ = c.Close()
	again.Wait()
	for i, data := range order {
		if data != fmt.Sprint(i) {
			t.Fatalf("stored %s at place %d", data, i)
		}
	}
	if sent <= n {
		t.Errorf("%d publications sent of %d: nothing was sent again", sent, n)
	}
}

func TestPublishErrors(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	run(t, c)
	p, _ := s.greet()
	ended := make(chan error, 1)
	publish := func(ctx context.Context) {
		go func() {
			_, err := c.PublishJSON(ctx, "r", map[string]int{"a": 1}, client.IdempotencyKey("k1"))
			ended <- err
		}()
	}
	publish(t.Context())
	q := p.want(protocol.OpPublish)
	if q.IdempotencyKey != "k1" || q.Data != `{"a":1}` {
		t.Errorf("publication is %+v", q)
	}
	p.fail(q.ID, "r", &protocol.Error{Code: protocol.CodeRateLimited, RetryAfter: time.Second})
	var e *protocol.Error
	if err := receive(t, ended); !errors.As(err, &e) || e.RetryAfter != time.Second {
		t.Error("Publish returned", err)
	}
	// What was answered with an error, and what its caller gave up, is not sent again.
	ctx, cancel := context.WithCancel(t.Context())
	publish(ctx)
	p.want(protocol.OpPublish)
	cancel()
	if err := receive(t, ended); !errors.Is(err, context.Canceled) {
		t.Error("Publish returned", err)
	}
	p.cut()
	p, _ = s.greet()
	publish(t.Context())
	p.ok(p.want(protocol.OpPublish).ID, "r", client.Position{})
	if err := receive(t, ended); err != nil {
		t.Error("Publish returned", err)
	}
}

func TestPublicationWait(t *testing.T) {
	c := newClient(t, "ws://127.0.0.1:1")
	p, err := c.PublishAsync("r", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wait(canceled); !errors.Is(err, context.Canceled) {
		t.Error("Wait returned", err)
	}
	if err := c.Flush(canceled); !errors.Is(err, context.Canceled) {
		t.Error("Flush returned", err)
	}
	select {
	case <-p.Done():
		t.Error("the publication is done")
	default:
	}
}
