package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// fault runs a load through something that happens to the servers, and tells how long it took until the
// broker was back.
func fault(t *testing.T, pub, sub *redis.Broker, rec *brokertest.Recorder, lossy bool, happen func()) {
	t.Helper()
	subscribe(t, sub, "room", "other")
	l := startLoad(t, pub, "room")
	l.more(100)
	begin := time.Now()
	happen()
	l.more(100)
	live(t, rec, 1)
	t.Logf("back after %v", time.Since(begin))
	l.more(100)
	l.complete(rec, lossy)
	publish(t, pub, "other", broker.Publication{Data: []byte("m")})
	wait(t, rec, "the other room", func(r *brokertest.Recorder) bool { return len(r.Messages("other")) == 1 })
}

// A replica takes over from a master that has died. What it had not got yet is lost, and shows as a gap.
func TestSentinelFailover(t *testing.T) {
	s := redistest.StartSentinels(t)
	opts := append(quick(t), redis.WithSentinel(redistest.MasterName))
	sub, rec := start(t, s.Addrs(), opts...)
	pub, _ := start(t, s.Addrs(), opts...)
	fault(t, pub, sub, rec, true, func() {
		replica := s.Replica()
		s.Master().Kill()
		s.AwaitMaster(replica)
	})
}

// A failover by hand: the old master goes on as a replica.
func TestSentinelSwitch(t *testing.T) {
	s := redistest.StartSentinels(t)
	opts := append(quick(t), redis.WithSentinel(redistest.MasterName))
	sub, rec := start(t, s.Addrs(), opts...)
	pub, _ := start(t, s.Addrs(), opts...)
	fault(t, pub, sub, rec, true, s.Switch)
}

// A replica that lags behind takes over: the same epoch, and offsets that were given before.
func TestSentinelFailoverToLaggard(t *testing.T) {
	s := redistest.StartSentinels(t)
	opts := append(quick(t), redis.WithSentinel(redistest.MasterName))
	sub, rec := start(t, s.Addrs(), opts...)
	subscribe(t, sub, "room")
	fill := func(n int) (last broker.Position) {
		for i := range n {
			last = publish(t, sub, "room", broker.Publication{Data: fmt.Append(nil, i), Retention: kept}).Position
		}
		return last
	}
	fill(5)
	master, replica := s.Master(), s.Replica()
	eventually(t, "the replica to have it all", func() bool { return replica.Do("LLEN", "hubkit:{room}:log") == "5" })
	replica.Do("CONFIG", "SET", "masteruser", "nobody") // it cannot come back to its master
	replica.Do("CONFIG", "SET", "masterauth", "nothing")
	master.Do("CLIENT", "KILL", "TYPE", "replica")
	lost := fill(5)
	wait(t, rec, "all messages", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) == 10 })
	master.Kill()
	s.AwaitMaster(replica)
	wait(t, rec, "a gap", func(r *brokertest.Recorder) bool {
		e := r.Events("room")
		return e[len(e)-1].Gap != nil
	})
	live(t, rec, 1)
	next := fill(10)
	if next.Epoch == lost.Epoch || next.Offset != 15 {
		t.Errorf("position %+v after %+v was lost, want another epoch and offset 15", next, lost)
	}
	page, err := sub.Read(t.Context(), "room", broker.Query{Since: lost, Retention: kept})
	if err != nil || !page.Gap {
		t.Errorf("Read since a message that was lost: %+v, %v, want a gap", page, err)
	}
	wait(t, rec, "what came after", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) == 20 })
}

// A replica takes over from a master of a cluster that has died.
func TestClusterFailover(t *testing.T) {
	c := redistest.StartCluster(t, true)
	sub, rec := start(t, c.Addrs(), quick(t)...)
	pub, _ := start(t, c.Addrs(), quick(t)...)
	fault(t, pub, sub, rec, true, func() { c.Owner("hubkit:{room}").Kill() })
}

// A failover by hand waits for the replica and loses nothing.
func TestClusterSwitch(t *testing.T) {
	c := redistest.StartCluster(t, true)
	sub, rec := start(t, c.Addrs(), quick(t)...)
	pub, _ := start(t, c.Addrs(), quick(t)...)
	fault(t, pub, sub, rec, false, func() {
		owner := c.Owner("hubkit:{room}")
		c.Replica(owner).Do("CLUSTER", "FAILOVER")
		eventually(t, "the replica to take over", func() bool { return c.Owner("hubkit:{room}") != owner })
	})
}

// Slots move from one master to another, under load, with rooms that are subscribed.
func TestClusterSlotsMove(t *testing.T) {
	c := redistest.StartCluster(t, false)
	sub, rec := start(t, c.Addrs(), quick(t)...)
	pub, _ := start(t, c.Addrs(), quick(t)...)
	rooms := []string{"room", "a", "b", "c", "d", "e"}
	subscribe(t, sub, rooms...)
	l := startLoad(t, pub, "room")
	for i, room := range rooms {
		l.more(50)
		key := "hubkit:{" + room + "}"
		owner := c.Owner(key)
		to := c.Servers[i%3]
		if to == owner {
			to = c.Servers[(i+1)%3]
		}
		c.Move(key, to)
	}
	l.more(50)
	l.complete(rec, false)
	for _, room := range rooms[1:] {
		// A room without history may miss what is published while it moves: publish until it hears.
		eventually(t, "room "+room+" to be heard", func() bool {
			publish(t, pub, room, broker.Publication{Data: []byte("m")})
			return len(rec.Messages(room)) > 0
		})
	}
	eventually(t, "the state to be live", func() bool {
		s := rec.States()
		return len(s) > 0 && s[len(s)-1] == broker.Live
	})
}
