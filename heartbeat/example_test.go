package heartbeat_test

import (
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
)

// conn is a connection with an Entry embedded.
type conn struct {
	beat heartbeat.Entry
	ping chan struct{} // to the other end
	gone chan struct{}
}

func (c *conn) Heartbeat() *heartbeat.Entry { return &c.beat }

func (c *conn) Ping() {
	select {
	case c.ping <- struct{}{}:
	default: // it must not block
	}
}

func (c *conn) Expire() bool {
	close(c.gone)
	return true
}

func Example() {
	m, err := heartbeat.NewMonitor(heartbeat.Policy{
		Interval: 50 * time.Millisecond,
		Timeout:  50 * time.Millisecond,
	})
	if err != nil {
		panic(err)
	}

	c := &conn{ping: make(chan struct{}, 1), gone: make(chan struct{})}
	if err := m.Add(c); err != nil {
		panic(err)
	}

	m.Heard(c.Heartbeat()) // whoever reads from the connection says so

	<-c.ping
	fmt.Println("pinged after a silence")
	<-c.gone
	fmt.Println("gone, for nothing was heard")

	m.Stop() // returns when no callback runs
	fmt.Println(m.Len(), "peers left")
	// Output:
	// pinged after a silence
	// gone, for nothing was heard
	// 0 peers left
}

// What waits for a vanished peer has to wait that long: a lock that its connection holds, for example.
func ExamplePolicy_MaxSilence() {
	lease := heartbeat.Default().MaxSilence() + time.Second
	fmt.Println("the lock is free after", lease)
	// Output: the lock is free after 36.2s
}

func ExamplePolicy_Validate() {
	fmt.Println(heartbeat.Policy{Interval: time.Second, Timeout: time.Minute}.Validate())
	// Output: heartbeat: invalid policy: timeout is 1m0s, must not be longer than the interval, 1s
}
