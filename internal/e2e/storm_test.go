package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// TestExactlyOnce: clients in several rooms, all of which publish without a pause, while connections break or the
// server is restarted. Everyone gets every message of every room exactly once and in order, and what is
// published is stored once and in the order of its publisher.
func TestExactlyOnce(t *testing.T) {
	for name, harm := range map[string]func(*storm, int){
		"closed by the server": (*storm).closeOne,
		"sockets killed":       (*storm).killOne,
		"server restarted":     (*storm).restart,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := start(t)
			s := newStorm(ctx, t)
			for round := range stormRounds {
				s.publish(round)
				harm(s, round)
			}
			s.wg.Wait()
			s.compare()
		})
	}
}

const (
	stormUsers  = 50
	stormRooms  = 5
	stormRounds = 300
	// stormWindow is how many rounds publishing may be ahead of what all users together have got.
	stormWindow = 20
	// stormTurn: every so many rounds a user publishes in a room.
	stormTurn = 10
	// restarts of the server in one run.
	stormRestarts = 2
)

// storm is the state of a run.
type storm struct {
	t     *testing.T
	ctx   context.Context
	s     *service
	n     *network
	users []*stormUser
	rnd   *rand.Rand
	wg    sync.WaitGroup // restarts

	published int          // messages, by the server's side and the users
	received  atomic.Int64 // messages, by all users together
	gaps      atomic.Int64
	harmed    int
}

// stormUser is a client, and what it got.
type stormUser struct {
	*user
	logs [stormRooms][]record // of its callbacks, which have ended when it is closed
	sent []*client.Publication
}

// record is a message as it was stored or received.
type record struct {
	pos  client.Position
	data string
}

func stormRoom(i int) string { return fmt.Sprint("past:", i) }

func newStorm(ctx context.Context, t *testing.T) *storm {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := &storm{t: t, ctx: ctx, s: serve(t, nil), rnd: rand.New(rand.NewPCG(seed, 0))}
	s.n = newNetwork(t, s.s)
	for range stormUsers {
		u := &stormUser{user: newUser(t, s.n.url())}
		s.users = append(s.users, u)
		for room := range stormRooms {
			_, err := u.Subscribe(stormRoom(room), func(m client.Message) {
				u.logs[room] = append(u.logs[room], record{m.Position, string(m.Data)})
				s.received.Add(1)
			}, client.OnGap(func(g client.Gap) {
				s.gaps.Add(1)
				t.Errorf("%+v", g)
			}), client.OnError(func(err error) { t.Error(err) }))
			must(t, err)
		}
		u.run()
	}
	for _, u := range s.users {
		u.await(ctx, client.Connected)
		must(t, u.Send(ctx, []byte(`"my rooms are joined"`)))
	}
	return s
}

// publish publishes one message in each room from the server's side, and lets some users publish.
func (s *storm) publish(round int) {
	s.t.Helper()
	for room := range stormRooms {
		data := fmt.Sprintf(`{"by":"server","n":%d}`, round)
		_, err := s.s.publish(s.ctx, stormRoom(room), data, data)
		must(s.t, err)
		s.published++
	}
	for i, u := range s.users {
		if (round+i)%stormTurn == 0 {
			data := fmt.Sprintf(`{"by":"user %d","n":%d}`, i, len(u.sent))
			p, err := u.PublishAsync(stormRoom(i%stormRooms), []byte(data))
			must(s.t, err)
			u.sent = append(u.sent, p)
			s.published++
		}
	}
	perRound := stormRooms + stormUsers/stormTurn
	await(s.ctx, s.t, "the users keep up", func() bool {
		return s.received.Load() >= int64((s.published-stormWindow*perRound)*stormUsers)
	})
}

func (s *storm) closeOne(int) {
	if conns := s.s.standing(); len(conns) > 0 {
		_ = conns[s.rnd.IntN(len(conns))].Close(protocol.CloseReconnect, "")
		s.harmed++
	}
}

func (s *storm) killOne(int) {
	if routes := s.n.now(); len(routes) > 0 {
		routes[s.rnd.IntN(len(routes))].cut()
		s.harmed++
	}
}

// restart begins a restart that goes on while messages are published.
func (s *storm) restart(round int) {
	if (round+1)%(stormRounds/(stormRestarts+1)) != 0 || s.harmed == stormRestarts {
		return
	}
	s.wg.Wait()
	s.harmed++
	s.wg.Go(func() {
		s.s.stop()
		s.s.start()
	})
}

// compare holds what is stored against what was published and what was received.
func (s *storm) compare() {
	t := s.t
	t.Helper()
	for _, u := range s.users {
		must(t, u.Flush(s.ctx))
	}
	// The last message of each room: when it has come, whatever else comes is too much.
	for room := range stormRooms {
		_, err := s.s.publish(s.ctx, stormRoom(room), `"end"`, "end")
		must(t, err)
	}
	var stored [stormRooms][]record
	all := 0
	for room := range stormRooms {
		stored[room] = records(s.ctx, s.s, stormRoom(room))
		all += len(stored[room])
	}
	await(s.ctx, t, "everything has come", func() bool { return s.received.Load() >= int64(all*stormUsers) })
	for i, u := range s.users {
		must(t, u.Send(s.ctx, []byte(`"and nothing more"`)))
		must(t, u.Close())
		for room := range stormRooms {
			if !slices.Equal(u.logs[room], stored[room]) {
				t.Errorf("user %d got %d messages of room %d, which has %d: %s", i, len(u.logs[room]), room,
					len(stored[room]), difference(u.logs[room], stored[room]))
			}
		}
		for n, p := range u.sent {
			pos, err := p.Wait(s.ctx)
			want := record{pos, fmt.Sprintf(`{"by":"user %d","n":%d}`, i, n)}
			if err != nil || !slices.Contains(stored[i%stormRooms], want) {
				t.Errorf("publication %d of user %d: %v, %v", n, i, pos, err)
			}
		}
	}
	for room := range stormRooms {
		s.checkPublishers(room, stored[room])
	}
	if s.harmed == 0 || s.gaps.Load() > 0 {
		t.Errorf("harmed %d times, %d gaps", s.harmed, s.gaps.Load())
	}
	t.Logf("%d published, %d received, %d times harmed", all, s.received.Load(), s.harmed)
}

// checkPublishers fails unless a room has all that was published in it, once and in order, without a hole.
func (s *storm) checkPublishers(room int, stored []record) {
	s.t.Helper()
	next := make(map[string]int)
	for i, r := range stored[:len(stored)-1] {
		var m struct {
			By string
			N  int
		}
		must(s.t, json.Unmarshal([]byte(r.data), &m))
		if r.pos.Offset != uint64(i+1) || r.pos.Epoch != stored[0].pos.Epoch || m.N != next[m.By] {
			s.t.Fatalf("room %d has %s at %v, want number %d at %d", room, r.data, r.pos, next[m.By], i+1)
		}
		next[m.By]++
	}
	want := map[string]int{"server": stormRounds}
	for i, u := range s.users {
		if i%stormRooms == room {
			want[fmt.Sprint("user ", i)] = len(u.sent)
		}
	}
	for by, n := range want {
		if next[by] != n {
			s.t.Errorf("room %d has %d messages by %s, want %d", room, next[by], by, n)
		}
	}
}

func records(ctx context.Context, s *service, room string) []record {
	var rs []record
	for _, m := range s.stored(ctx, room).Messages {
		rs = append(rs, record{client.Position(m.Position), string(m.Data)})
	}
	return rs
}

// difference tells where two logs part.
func difference(got, want []record) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("number %d is %v, want %v", i, got[i], want[i])
		}
	}
	return "one ends before the other"
}
