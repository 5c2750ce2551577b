package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
)

// ticker publishes numbers in the room, from outside of any hub. Its zero value does nothing.
type ticker struct {
	broker  *redis.Broker
	cancel  context.CancelFunc
	ticking sync.WaitGroup
}

func (t *ticker) start(ctx context.Context, server string, every time.Duration) error {
	if every == 0 {
		return nil
	}
	b, err := redis.New([]string{server}, redis.WithClientName("ticks"))
	if err != nil {
		return err
	}
	if err := b.Start(ctx, "", nil); err != nil { // without a receiver: publishes only
		return err
	}
	t.broker = b
	ctx, t.cancel = context.WithCancel(ctx)
	t.ticking.Go(func() {
		for n := 1; ; n++ {
			// A retry is stored once, by its key.
			p := broker.Publication{Data: fmt.Appendf(nil, "%d", n), Retention: kept, IdempotencyKey: fmt.Sprint("tick ", n)}
			for {
				_, err := b.Publish(ctx, room, p)
				if !pause(ctx, every) {
					return
				}
				if err == nil {
					break
				}
			}
		}
	})
	return nil
}

func (t *ticker) stop() error {
	if t.broker == nil {
		return nil
	}
	t.cancel()
	t.ticking.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return t.broker.Close(ctx)
}

// pause reports whether it waited to the end.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
