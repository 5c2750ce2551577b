package fanout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestBatches has what is published during a pass go out in the next one, as one batch.
func TestBatches(t *testing.T) {
	r := newRig(t, 2, 100, 1<<20)
	room := r.room()
	g := newGate()
	join(t, room, g)
	add(room, 0, "first")
	<-g.entered
	for i := range 5 {
		add(room, 0, "%d", i)
	}
	g.open()
	r.Close()
	if got, want := fmt.Sprint(g.passes), "[[first] [0 1 2 3 4]]"; got != want {
		t.Errorf("passes %s, want %s", got, want)
	}
	if r.Delivered.Load() != 6 || r.Dropped.Load() != 0 {
		t.Errorf("%d sent, %d dropped; want 6, 0", r.Delivered.Load(), r.Dropped.Load())
	}
}

func TestEmptyRoom(t *testing.T) {
	r := newRig(t, 2, 1, 1<<20)
	room := r.room()
	for range 10 { // nothing is queued
		add(room, 0, "nobody hears it")
		if err := room.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m := new(member)
	join(t, room, m)
	add(room, 0, "heard")
	r.Close()
	expect(t, m, "heard")
}

// TestDroppedIsCounted has one member whose connection is gone among others.
func TestDroppedIsCounted(t *testing.T) {
	r := newRig(t, 2, 100, 1<<20)
	room := r.room()
	g, gone, keeper := newGate(), &member{err: net.ErrClosed}, &member{keep: true}
	for _, m := range []Member{g, gone, keeper} {
		join(t, room, m)
	}
	add(room, 0, "a")
	<-g.entered
	add(room, 0, "b")
	add(room, 0, "c")
	g.open()
	r.Close()
	// What a member keeps it counts itself.
	if r.Delivered.Load() != 3 || r.Dropped.Load() != 3 {
		t.Errorf("%d sent, %d dropped; want 3, 3", r.Delivered.Load(), r.Dropped.Load())
	}
}

func TestReady(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		maxMessages, maxBytes int
	}{{"messages", 3, 1 << 20}, {"bytes", 1000, 3 * 102}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, tt.maxMessages, tt.maxBytes)
				room := r.room()
				g := newGate()
				join(t, room, g)
				payload := strings.Repeat("x", 100)
				add(room, 0, "%s", payload)
				<-g.entered
				for range 3 {
					if err := room.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
					add(room, 0, "%s", payload)
				}
				cause := errors.New("enough")
				ctx, cancel := context.WithCancelCause(t.Context())
				var first, second error
				var ended atomic.Int32
				go func() {
					first = room.Ready(ctx)
					ended.Add(1)
				}()
				for range 3 {
					go func() {
						if err := room.Ready(context.Background()); err != nil {
							second = err
						}
						ended.Add(1)
					}()
				}
				synctest.Wait()
				if ended.Load() != 0 {
					t.Fatal("Ready returned although the queue is full")
				}
				cancel(cause)
				synctest.Wait()
				if ended.Load() != 1 || !errors.Is(first, cause) {
					t.Fatalf("%d have returned, the first %v; want 1, %v", ended.Load(), first, cause)
				}
				g.open()
				synctest.Wait()
				if ended.Load() != 4 || second != nil {
					t.Errorf("%d have returned, %v; want 4, nil", ended.Load(), second)
				}
			})
		})
	}
}

// TestOrder has several publish while members come and go: what a member gets of a publisher during its
// stay has no hole, no repetition and no other order, and nothing comes after Leave has returned.
func TestOrder(t *testing.T) {
	const publishers, each, movers = 4, 300, 8
	r := newRig(t, 3, 64, 1<<20)
	room := r.room()
	fixed := make([]*member, 70)
	for i := range fixed {
		fixed[i] = new(member)
		join(t, room, fixed[i])
	}
	var publishing, moving sync.WaitGroup
	var done atomic.Bool
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				if err := room.Ready(context.Background()); err != nil {
					t.Error(err)
				}
				add(room, 0, "%d %d", p, i)
			}
		})
	}
	for seed := range uint64(movers) {
		moving.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 1))
			for !done.Load() {
				var left atomic.Bool
				m := &member{hook: func(*frame.Batch, int) {
					if left.Load() {
						t.Error("sent to a member that has left")
					}
				}}
				place, _ := room.Join(m, 0)
				for n := rnd.IntN(5); m.count() < n && !done.Load(); {
					if err := room.Ready(context.Background()); err != nil {
						t.Error(err)
					}
				}
				room.Leave(m, place)
				left.Store(true)
				room.Leave(m, place) // does nothing
				checkOrder(t, m.got(), publishers)
			}
		})
	}
	publishing.Wait()
	done.Store(true)
	moving.Wait()
	if got := room.Len(); got != len(fixed) {
		t.Errorf("Len() = %d, want %d", got, len(fixed))
	}
	r.Close()
	for _, m := range fixed {
		if got := m.got(); len(got) != publishers*each {
			t.Fatalf("%d messages, want %d", len(got), publishers*each)
		}
		checkOrder(t, m.got(), publishers)
	}
}

func checkOrder(t *testing.T, got []string, publishers int) {
	t.Helper()
	next := make([]int, publishers)
	for _, s := range got {
		publisher, number, _ := strings.Cut(s, " ")
		p, err1 := strconv.Atoi(publisher)
		i, err2 := strconv.Atoi(number)
		if err := errors.Join(err1, err2); err != nil {
			t.Errorf("%q: %v", s, err)
			return
		}
		if next[p] != 0 && next[p] != i {
			t.Errorf("publisher %d: message %d, want %d", p, i, next[p])
			return
		}
		next[p] = i + 1
	}
}

// TestLeaveWaits has Leave wait for a Send to that member that is under way.
func TestLeaveWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, 100, 1<<20)
		room := r.room()
		sending := make(chan struct{})
		entered := false
		m := &member{hook: func(*frame.Batch, int) {
			entered = true
			<-sending
		}}
		place := join(t, room, m)
		add(room, 0, "x")
		synctest.Wait()
		if !entered {
			t.Fatal("nothing was sent")
		}
		left := make(chan []string)
		go func() {
			room.Leave(m, place)
			left <- m.got()
		}()
		close(sending)
		if got := <-left; len(got) != 1 {
			t.Errorf("Leave returned before Send: %q", got)
		}
	})
}

// TestChunks follows the members of a room through many joins and leaves.
func TestChunks(t *testing.T) {
	r := newRig(t, 2, 100, 1<<20)
	room := r.room()
	rnd := rand.New(rand.NewPCG(1, 1))
	type joined struct {
		m *member
		p Place
	}
	var members []joined
	for i := range 5000 {
		// A room that grows, and then shrinks.
		if rnd.Float64() < 0.7-0.3*float64(i)/5000 || len(members) == 0 {
			m := new(member)
			members = append(members, joined{m, join(t, room, m)})
		} else {
			k := rnd.IntN(len(members))
			room.Leave(members[k].m, members[k].p)
			members[k] = members[len(members)-1]
			members = members[:len(members)-1]
		}
		if room.Len() != len(members) {
			t.Fatalf("step %d: Len() = %d, want %d", i, room.Len(), len(members))
		}
		checkChunks(t, room)
	}
	if len(members) < 5*chunkSize {
		t.Fatalf("%d members are not many", len(members))
	}
	add(room, 0, "x")
	r.Close()
	for _, m := range members {
		expect(t, m.m, "x")
		room.Leave(m.m, m.p)
		checkChunks(t, room)
	}
	if room.Len() != 0 || len(room.chunks) != 0 {
		t.Errorf("%d members in %d chunks are left", room.Len(), len(room.chunks))
	}
}

func checkChunks(t *testing.T, r *Room) {
	t.Helper()
	n := 0
	for i, c := range r.chunks {
		k := len(c.members)
		n += k
		if k == 0 || k > chunkSize {
			t.Fatalf("chunk %d has %d members", i, k)
		}
		if i < r.open && k < chunkSize {
			t.Fatalf("chunk %d has %d members, and open is %d", i, k, r.open)
		}
	}
	if n != r.members {
		t.Fatalf("%d members in chunks, %d in all", n, r.members)
	}
}

// TestSent: it waits for what was added before, and for nothing that comes later.
func TestSent(t *testing.T) {
	r := newRig(t, 1, 10, 1<<20)
	room := r.room()
	if err := room.Sent(t.Context()); err != nil {
		t.Errorf("an idle room: %v", err)
	}
	m := new(member)
	join(t, room, m)
	goOn := r.stall(t)
	for n := range 30 { // more than a batch
		add(room, 0, "%d", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := room.Sent(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("while nothing is sent: %v", err)
	}
	sent := make(chan error)
	go func() { sent <- room.Sent(t.Context()) }()
	goOn()
	if err := <-sent; err != nil || len(m.got()) != 30 {
		t.Errorf("%v after %d of 30 messages", err, len(m.got()))
	}
}
