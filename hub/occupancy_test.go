package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// uses is what the application was told of rooms. It fails the test if calls for one room overlap or do not take turns.
type uses struct {
	t  *testing.T
	mu sync.Mutex
	in map[string]bool // a call is under way
	is map[string]bool // used
	n  map[string]int
}

func watchUse(t *testing.T, s *server, during func(room string)) *uses {
	u := &uses{t: t, in: map[string]bool{}, is: map[string]bool{}, n: map[string]int{}}
	s.OnRoomUsed(func(_ context.Context, room string) { u.told(room, true, during) })
	s.OnRoomEmpty(func(_ context.Context, room string) { u.told(room, false, during) })
	return u
}

func (u *uses) told(room string, used bool, during func(string)) {
	u.mu.Lock()
	if u.in[room] || u.is[room] == used {
		u.t.Errorf("room %s: told used=%v after %v, in a call: %v", room, used, u.is[room], u.in[room])
	}
	u.in[room], u.is[room] = true, used
	u.n[room]++
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.in[room] = false
		u.mu.Unlock()
	}()
	if during != nil {
		during(room)
	}
}

// calls is how many calls were made for a room, and whether it is used by the last.
func (u *uses) calls(room string) (n int, used bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.n[room], u.is[room]
}

func (u *uses) await(room string, n int) {
	u.t.Helper()
	await(u.t, fmt.Sprintf("call %d for %s", n, room), func() bool { got, _ := u.calls(room); return got == n })
}

// TestRoomUse: the first member and the end of the last are told, and no other.
func TestRoomUse(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("past", hub.DefaultHistory()), hub.WithRooms("here", hub.Presence()))
	u := watchUse(t, s, nil)
	for _, room := range []string{"a", "past", "here"} {
		first, second := s.dial(t), s.dial(t)
		join := func(c *client) {
			c.write(`{"op":"join","id":1,"room":"` + room + `"}`)
			c.readUntil("ok")
		}
		join(first)
		u.await(room, 1)
		join(second)
		join(first) // again
		_ = first.ws.Close()
		await(t, "one is gone", func() bool { return s.Room(room).Members == 1 })
		second.write(`{"op":"leave","id":2,"room":"` + room + `"}`)
		second.readUntil("ok")
		u.await(room, 2)
		join(second)
		u.await(room, 3)
		_ = second.ws.Close()
		u.await(room, 4)
	}
}

// TestRoomUseRace: however connections come and go, calls for a room take turns, and the last one says what is so. Nothing of a
// room is kept when it is empty.
func TestRoomUseRace(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithoutRateLimit(), hub.WithRooms("past*", hub.DefaultHistory()))
	u := watchUse(t, s, func(string) {
		if rand.N(3) == 0 {
			time.Sleep(rand.N(time.Millisecond))
		}
	})
	rooms := []string{"a", "b", "past"}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				c := s.dial(t)
				for i := range 20 {
					room := rooms[rand.N(len(rooms))]
					c.write(fmt.Sprintf(`{"op":%q,"id":%d,"room":%q}`, []string{"join", "leave"}[rand.N(2)], i+1, room))
				}
				if rand.N(2) == 0 {
					for i := range 20 {
						for r := c.read(); r.ID != uint64(i+1); r = c.read() {
						}
					}
				}
				_ = c.ws.Close()
			}
		})
	}
	wg.Wait()
	await(t, "all are gone", func() bool { return s.Stats().Conns == 0 })
	await(t, "the application knows", func() bool { return s.Occupied() == 0 })
	for _, room := range rooms {
		if n, used := u.calls(room); used || n == 0 || n%2 != 0 {
			t.Errorf("room %s: %d calls, used %v", room, n, used)
		}
	}
}

// TestRoomUseFaults: a function that panics or ends its goroutine costs the other functions and the other calls nothing.
func TestRoomUseFaults(t *testing.T) {
	for name, fault := range map[string]func(){
		"panic": func() { panic("OnRoomUsed") }, "Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, hub.WithOpenRooms("*"))
			hook := func(context.Context, string) { fault() }
			s.OnRoomUsed(hook)
			s.OnRoomEmpty(hook)
			u := watchUse(t, s, nil)
			for i := range 3 {
				c := s.dial(t)
				c.ask(`{"op":"join","id":1,"room":"a"}`)
				u.await("a", 2*i+1)
				_ = c.ws.Close()
				u.await("a", 2*i+2)
			}
			await(t, "the application knows", func() bool { return s.Occupied() == 0 })
			if n := s.Stats().Panics; n != 6 {
				t.Errorf("%d panics are counted, want 6", n)
			}
		})
	}
}

// TestRoomUseThatBlocks: a function that blocks holds up its own room alone. What changes meanwhile and changes back is not told,
// and Shutdown returns after the last call.
func TestRoomUseThatBlocks(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"))
	entered, goOn := make(chan struct{}, 10), make(chan struct{})
	u := watchUse(t, s, func(room string) {
		if room == "slow" {
			entered <- struct{}{}
			<-goOn
		}
	})
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"slow"}`)
	receive(t, "OnRoomUsed", entered)
	for range 5 {
		c.ask(`{"op":"leave","id":2,"room":"slow"}`)
		c.ask(`{"op":"join","id":3,"room":"slow"}`)
	}
	c.ask(`{"op":"join","id":4,"room":"quick"}`)
	u.await("quick", 1)
	if n, _ := u.calls("slow"); n != 1 {
		t.Errorf("%d calls for slow, want 1", n)
	}
	close(goOn)
	go c.end() //nolint:errcheck // it answers the close frame
	s.shutdown(t)
	for _, room := range []string{"slow", "quick"} {
		if n, used := u.calls(room); n != 2 || used {
			t.Errorf("after Shutdown %s has %d calls, used %v", room, n, used)
		}
	}
}
