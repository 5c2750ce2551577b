package workerpool_test

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

// Tasks of one key run in order; those of different keys run at once.
func Example() {
	ctx := context.Background()
	pool, err := workerpool.New(workerpool.WithWorkers(2))
	if err != nil {
		fmt.Println(err)
		return
	}
	const connection = 42
	for i := range 3 {
		err := pool.Submit(ctx, connection, func(context.Context) { fmt.Println("frame", i) })
		if err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("close:", pool.Close(ctx))
	// Output:
	// frame 0
	// frame 1
	// frame 2
	// close: <nil>
}

// A refusal says when to come back.
func ExampleBusyError() {
	ctx := context.Background()
	pool, err := workerpool.New(workerpool.WithWorkers(1), workerpool.WithQueue(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	release := make(chan struct{})
	_ = pool.Go(ctx, func(context.Context) { <-release })

	err = pool.Go(ctx, func(context.Context) {})
	if busy, ok := errors.AsType[*workerpool.BusyError](err); ok {
		fmt.Println("busy, retry after", busy.RetryAfter)
	}
	close(release)
	_ = pool.Close(ctx)
	// Output: busy, retry after 1s
}

// Do waits for the task, and tells how it went.
func ExamplePool_Do() {
	ctx := context.Background()
	quiet := workerpool.WithPanicHandler(func(*workerpool.PanicError) {})
	pool, err := workerpool.New(quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pool.Do(ctx, 1, func(context.Context) error { return errors.New("no such image") }))
	fmt.Println(pool.Do(ctx, 1, func(context.Context) error { panic("out of luck") }))
	_ = pool.Close(ctx)
	// Output:
	// no such image
	// workerpool: task of key 1 panicked: out of luck
}

// What was not queued is run by the caller, in order with what was.
func ExamplePool_SubmitIfBusy() {
	ctx := context.Background()
	pool, err := workerpool.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	light := func(name string) {
		task := func(context.Context) { fmt.Println(name) }
		switch queued, err := pool.SubmitIfBusy(ctx, 1, task); {
		case err != nil:
			fmt.Println(err)
		case !queued:
			task(ctx)
		}
	}
	light("light, inline")
	_ = pool.Submit(ctx, 1, func(context.Context) {
		time.Sleep(time.Millisecond)
		fmt.Println("heavy")
	})
	light("light, behind heavy")
	_ = pool.Close(ctx)
	// Output:
	// light, inline
	// heavy
	// light, behind heavy
}

// Close with a deadline tells what it had to leave.
func ExamplePool_Close() {
	pool, err := workerpool.New(workerpool.WithWorkers(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	started := make(chan struct{}, 3)
	for range 3 {
		_ = pool.Go(ctx, func(ctx context.Context) {
			started <- struct{}{}
			<-ctx.Done() // until the pool gives up
		})
	}
	<-started
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if left, ok := errors.AsType[*workerpool.CloseError](pool.Close(soon)); ok {
		fmt.Println("never started:", left.Dropped)
	}
	_ = pool.Close(ctx) // waits for the last one
	// Output: never started: 2
}

// Any comparable value makes a key. Two values that fall on one key share its turn and its share;
// the order within each still holds.
func Example_keys() {
	seed := maphash.MakeSeed()
	type session struct{ tenant, user string }
	a := maphash.Comparable(seed, session{"acme", "ann"})
	b := maphash.Comparable(seed, session{"acme", "ann"})
	fmt.Println(a == b)
	// Output: true
}

// A pool whose tasks wait longer than they run has too few workers, or tasks that take too long.
func ExampleStats_MeanWait() {
	ctx := context.Background()
	pool, err := workerpool.New(workerpool.WithWorkers(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	for key := range uint64(3) {
		_ = pool.Submit(ctx, key, func(context.Context) { time.Sleep(10 * time.Millisecond) })
	}
	_ = pool.Close(ctx)
	s := pool.Stats()
	fmt.Println("ran 10 ms or more:", s.MeanRun() >= 10*time.Millisecond)
	fmt.Println("waited 5 ms or more:", s.MeanWait() >= 5*time.Millisecond) // about 0, 10 and 20 ms
	// Output:
	// ran 10 ms or more: true
	// waited 5 ms or more: true
}
