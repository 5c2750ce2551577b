package hub_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
)

func watchClusterUse(t *testing.T, s *server) *uses {
	u := &uses{t: t, in: map[string]bool{}, is: map[string]bool{}, n: map[string]int{}}
	s.OnClusterRoomUsed(func(_ context.Context, room string) { u.told(room, true, nil) })
	s.OnClusterRoomEmpty(func(_ context.Context, room string) { u.told(room, false, nil) })
	return u
}

// TestClusterRoomUse: with the memory broker this node is all nodes. Only rooms with presence are told.
func TestClusterRoomUse(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("here*", hub.Presence()))
	u, local := watchClusterUse(t, s), watchUse(t, s, nil)
	a, b := s.dial(t), s.dial(t)
	a.ask(`{"op":"join","id":1,"room":"here"}`)
	u.await("here", 1)
	b.ask(`{"op":"join","id":1,"room":"here"}`)
	b.ask(`{"op":"join","id":2,"room":"plain"}`)
	local.await("plain", 1)
	_ = a.ws.Close()
	await(t, "one is gone", func() bool { return s.Room("here").Members == 1 })
	b.ask(`{"op":"leave","id":3,"room":"here"}`)
	u.await("here", 2)
	b.ask(`{"op":"join","id":4,"room":"here"}`)
	u.await("here", 3)
	go b.end() //nolint:errcheck // it answers the close frame
	s.shutdown(t)
	if n, used := u.calls("here"); n != 4 || used {
		t.Errorf("after Shutdown %d calls, used %v", n, used)
	}
	if n, _ := u.calls("plain"); n != 0 {
		t.Errorf("%d calls for a room without presence", n)
	}
}

// flaky is a broker whose occupancy fails as often as it is told to, and that owes calls.
type flaky struct {
	*memory.Broker
	mu       sync.Mutex
	failures int
	owed     broker.Occupied
	tended   int
}

func (f *flaky) fail() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures > 0 {
		f.failures--
		return errors.Join(broker.ErrUnavailable, errors.New("not now"))
	}
	return nil
}

func (f *flaky) Occupy(ctx context.Context, room string) (bool, error) {
	if err := f.fail(); err != nil {
		return false, err
	}
	return f.Broker.Occupy(ctx, room)
}

func (f *flaky) Tend(context.Context) (o broker.Occupied, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, f.owed = f.owed, broker.Occupied{}
	f.tended++
	o.Again = time.Hour
	return o, nil
}

// TestClusterRoomUseOwed: a broker that fails is asked again, and what it owes of other nodes' rooms is told.
func TestClusterRoomUseOwed(t *testing.T) {
	m, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{Broker: m, failures: 2, owed: broker.Occupied{Used: []string{"here too"}}}
	s := start(t, hub.WithBroker(f), hub.WithOpenRooms("*"), hub.WithRooms("here*", hub.Presence()))
	u := watchClusterUse(t, s)
	u.await("here too", 1)
	f.mu.Lock()
	f.owed.Empty = []string{"here too"}
	f.mu.Unlock()
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"here"}`)
	u.await("here", 1)
	u.await("here too", 2) // a failure has Tend called
	await(t, "only the room that is used to be known", func() bool { return s.ClusterOccupied() == 1 })
}
