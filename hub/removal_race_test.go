package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// TestRemoveRace: whenever a right is withdrawn while its user joins, nothing that is published afterwards reaches the user, who
// hears of the end if it has heard of the beginning.
func TestRemoveRace(t *testing.T) {
	const workers, rounds = 6, 500
	s := start(t, hub.WithAuthenticator(asUser), hub.WithoutRateLimit(), hub.WithRoomLinger(0),
		hub.WithRooms("past*", hub.DefaultHistory()), hub.WithRooms("here*", hub.Presence()))
	var allowed [workers]atomic.Bool
	var asked [workers]chan struct{}
	for who := range workers {
		asked[who] = make(chan struct{}, 1)
	}
	may := func(c *hub.Conn) error {
		who, err := strconv.Atoi(c.Identity().User)
		if err == nil && !allowed[who].Load() {
			err = hub.ErrForbidden
		}
		asked[who] <- struct{}{} // the answer is on its way
		for range rand.N(100) {
			runtime.Gosched()
		}
		return err
	}
	s.OnJoin(func(_ context.Context, c *hub.Conn, _ string) error { return may(c) })
	s.Handle("enter", func(ctx context.Context, c *hub.Conn, room []byte) (any, error) {
		if err := may(c); err != nil {
			return nil, err
		}
		name, err := strconv.Unquote(string(room))
		if err != nil {
			return nil, err
		}
		return nil, c.Join(ctx, name)
	})
	var undone, refused atomic.Int64
	var wg sync.WaitGroup
	for who := range workers {
		user := strconv.Itoa(who)
		c := s.dialAs(t, user)
		room := []string{"plain", "past", "here"}[who%3] + user
		asks := []string{
			`{"op":"join","id":1,"room":"` + room + `"}`,
			`{"op":"call","id":1,"method":"enter","data":"` + room + `"}`,
		}
		wg.Go(func() {
			for round := range rounds {
				allowed[who].Store(true)
				c.write(asks[round/3%2])
				if round%10 > 0 {
					<-asked[who]
				}
				for range rand.N(30) {
					runtime.Gosched()
				}
				allowed[who].Store(false)
				s.remove(t, user, room, "banned")
				s.publish(t, room, round)
				c.write(`{"op":"ping","id":2}`)
				if round%10 == 0 {
					<-asked[who]
				}
				in := false
				for r := c.read(); r.ID != 2; r = c.read() {
					switch {
					case r.Op == "ok" && r.Room == room, r.Op == "joined":
						in = true
					case r.Op == "left":
						in = false
						undone.Add(1)
						c.write(`{"op":"join","id":3,"room":"` + room + `"}`) // and is heard at once
						<-asked[who]
					case r.ID == 3 && r.Code != "forbidden":
						t.Errorf("a join after left was answered with %+v", r)
					case r.Code == "removed", r.Code == "internal": // a handler's ErrRemoved is the handler's to tell
						refused.Add(1)
					case r.Op == "message":
						t.Errorf("%s was removed and heard %s", room, r.Data)
					}
				}
				if in {
					t.Errorf("round %d: the client takes itself to be in %s", round, room)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("of %d joins %d were undone and %d refused", workers*rounds, undone.Load(), refused.Load())
	for who := range workers {
		if p, err := s.Presence(t.Context(), fmt.Sprintf("here%d", who), 0); err == nil && p.Count > 0 {
			t.Errorf("user %d is still present", who)
		}
	}
	await(t, "no room is left", func() bool { return s.Stats().Rooms == 0 })
}

// TestLastOrderCounts: of JoinUser and RemoveFromRoom the one that was called last holds, whatever is under way.
func TestLastOrderCounts(t *testing.T) {
	const rounds = 1000
	s := start(t, hub.WithAuthenticator(asUser), hub.WithoutRateLimit(), hub.WithOpenRooms("*"),
		hub.WithRooms("past", hub.DefaultHistory()), hub.WithRooms("here", hub.Presence()))
	conns := s.watchConns()
	for _, room := range []string{"plain", "past", "here"} {
		c := s.dialAs(t, "ada")
		conn := receive(t, "OnConnect", conns)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { // what the client does itself
			for i := 1; ; i++ {
				select {
				case <-stop:
					c.write(`{"op":"ping","id":2}`)
					return
				default:
					c.write(`{"op":"join","id":1,"room":"` + room + `"}`)
					if i%16 == 0 {
						c.write(`{"op":"ping","id":1}`)
					}
				}
			}
		})
		readUntil := func(id uint64) {
			for c.read().ID != id {
			}
		}
		wg.Go(func() { readUntil(2) })
		for range rounds / 10 {
			s.joinUser(t, "ada", room)
			s.remove(t, "ada", room, "")
		}
		close(stop)
		wg.Wait()
		wg.Go(func() { readUntil(3) }) // it is told of each round
		for range rounds {
			s.joinUser(t, "ada", room)
			if got := conn.Rooms(); len(got) != 1 {
				t.Fatalf("after JoinUser in %v", got)
			}
			s.remove(t, "ada", room, "")
			if got := conn.Rooms(); len(got) != 0 {
				t.Fatalf("after RemoveFromRoom in %v", got)
			}
		}
		c.write(`{"op":"ping","id":3}`)
		wg.Wait()
		_ = c.ws.Close()
	}
}
