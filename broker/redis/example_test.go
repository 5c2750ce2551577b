package redis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
)

// A cluster, or one server, over TLS.
func ExampleNew() {
	b, err := redis.New([]string{"redis-0.internal:6379", "redis-1.internal:6379"},
		redis.WithTLS(&tls.Config{MinVersion: tls.VersionTLS12}),
		redis.WithAuth("hub", "secret"),
		redis.WithPrefix("shop"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%T\n", b) // now give it to the hub, which starts and closes it
	// Output: *redis.Broker
}

// Every fault is reported at once.
func ExampleNew_faults() {
	_, err := redis.New(nil, redis.WithDatabase(-1))
	fmt.Println(err)
	fmt.Println(errors.Is(err, broker.ErrInvalid))
	// Output:
	// redis: broker: invalid argument: WithDatabase: database -1 must not be negative
	// broker: invalid argument: New needs at least one address
	// true
}

// A service without a hub publishes: with a nil receiver a broker needs no name and subscribes to nothing.
func ExampleBroker_Publish() {
	b, err := redis.New([]string{"127.0.0.1:6379"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := b.Start(ctx, "", nil); err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = b.Close(ctx) }()
	res, err := b.Publish(ctx, "orders:42", broker.Publication{
		Data:           []byte(`{"status":"shipped"}`),
		IdempotencyKey: "orders:42:shipped",
		Retention:      broker.Retention{Size: 100, TTL: time.Hour},
	})
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(res.Position.Offset)
}
