package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

func ExampleRetry() {
	p, err := backoff.New(backoff.WithBase(time.Millisecond), backoff.WithCap(20*time.Millisecond))
	if err != nil {
		panic(err)
	}
	tries := 0
	err = backoff.Retry(context.Background(), p, func(context.Context) error {
		tries++
		if tries < 3 {
			return errors.New("try again")
		}
		return nil
	}, backoff.MaxTries(5))
	fmt.Println(tries, err)
	// Output: 3 <nil>
}

func ExamplePermanent() {
	err := backoff.Retry(context.Background(), backoff.Default(), func(context.Context) error {
		return backoff.Permanent(errors.New("wrong password"))
	})
	fmt.Println(err)
	// Output: wrong password
}

// A client that keeps one connection open.
func ExampleSequence() {
	ctx, cancel := context.WithCancel(context.Background())
	connections := 0
	serve := func() error { // connects, and returns when the connection is lost
		if connections++; connections == 3 {
			cancel()
		}
		return nil
	}

	p, err := backoff.New(backoff.WithBase(time.Millisecond), backoff.WithCap(20*time.Millisecond))
	if err != nil {
		panic(err)
	}
	seq := p.Start()
	for ctx.Err() == nil {
		seq.Connected()
		err := serve()
		seq.Disconnected()
		if h, ok := errors.AsType[backoff.Hinter](err); ok {
			seq.Hint(h.RetryAfter()) // the server said when to come back
		}
		if err := seq.Wait(ctx); err != nil {
			break
		}
	}
	fmt.Println(connections, "connections,", seq.Attempt(), "delays")
	// Output: 3 connections, 3 delays
}

// What a server said goes before the formula.
func ExampleSequence_Hint() {
	seq := backoff.Default().Start()
	seq.Hint(90*time.Second, 0)
	fmt.Println(seq.Next())
	fmt.Println(seq.Next() <= time.Second)
	// Output:
	// 1m30s
	// true
}
