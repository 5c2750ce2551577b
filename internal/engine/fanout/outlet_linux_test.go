package fanout

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// holder is a Holder in front of a socket.
type holder struct {
	t    *testing.T
	fd   int
	busy bool // it is never held

	mu          sync.Mutex
	held        *tallies      // of all holders
	wired       *atomic.Int64 // bytes
	got         []byte        // whatever way it came
	sends, full int
}

func (h *holder) Hold(b *frame.Batch, from int) (fd int, data []byte, ok bool) {
	if h.busy || !h.mu.TryLock() {
		return -1, nil, false
	}
	h.held.add(1)
	return h.fd, b.Wire(from), true
}

func (h *holder) Settle(b *frame.Batch, from, n int) (sent int, retained bool) {
	defer h.mu.Unlock()
	h.held.add(-1)
	h.wired.Add(int64(n))
	if n == 0 {
		h.full++
		return 0, false
	}
	h.got = append(h.got, b.Wire(from)...)
	return b.Len() - from, false
}

func (h *holder) Send(b *frame.Batch, from int) (int, bool, error) {
	if n := h.held.add(0); n != 0 {
		h.t.Errorf("Send while the same goroutine holds %d", n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, b.Wire(from)...)
	h.sends++
	return b.Len() - from, false, nil
}

// tallies counts for each goroutine by itself: Flush sends in its caller's, which holds none while a worker may.
type tallies struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tallies) add(n int) int {
	var buf [64]byte
	id, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte("["))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = make(map[string]int)
	}
	t.n[string(id)] += n
	return t.n[string(id)]
}

// socket is one that takes everything, and counts it.
func socket(t *testing.T) (fd int, received func() int64) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to, from := os.NewFile(uintptr(fds[0]), "to"), os.NewFile(uintptr(fds[1]), "from")
	var n int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, _ = io.Copy(io.Discard, from)
	}()
	end := sync.OnceFunc(func() {
		_ = to.Close()
		<-done
		_ = from.Close()
	})
	t.Cleanup(end)
	return fds[0], func() int64 { end(); return n }
}

// TestOutlet sends to members that can be held, that are busy, that are full, and that know nothing of it.
func TestOutlet(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room := r.room()
	good, received := socket(t)
	full, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(full) }() // it is not connected, and takes nothing
	var held tallies
	var wired atomic.Int64
	holders := make([]*holder, 3*chunkSize/2)
	for i := range holders {
		h := &holder{t: t, fd: good, held: &held, wired: &wired}
		switch i % 8 {
		case 3:
			h.busy = true
		case 5:
			h.fd = full
		}
		holders[i] = h
		join(t, room, h)
	}
	simple := new(member)
	join(t, room, simple)

	const n = 50
	for i := range n {
		if err := room.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		add(room, 0, "message %d", i)
	}
	r.Close()
	want := ""
	for _, p := range simple.got() {
		want += p + "\n"
	}
	for i, h := range holders {
		got := ""
		for _, p := range payloads(h.got) {
			got += p + "\n"
		}
		if got != want {
			t.Errorf("member %d got %q, want %q", i, got, want)
		}
		if h.fd == full && h.full > 0 && h.sends != h.full {
			t.Errorf("member %d: full %d times, %d sends", i, h.full, h.sends)
		}
	}
	if got, want := r.Delivered.Load(), int64(n*(len(holders)+1)); got != want {
		t.Errorf("%d sent, want %d", got, want)
	}
	if out := newOutlet(false); out != nil { // else all went the other way
		out.close()
		if got := received(); got != wired.Load() || got == 0 {
			t.Errorf("the socket has %d bytes, want %d", got, wired.Load())
		}
	}
}

// TestSameMembers has two workers hold the same members in opposite orders.
func TestSameMembers(t *testing.T) {
	r := newRig(t, 2, 10, 1<<20)
	fd, _ := socket(t)
	rooms := []*Room{r.room(), r.room()}
	holders := make([]*counting, chunkSize)
	for i := range holders {
		holders[i] = &counting{fd: fd}
		join(t, rooms[0], holders[i])
	}
	for i := range holders {
		join(t, rooms[1], holders[len(holders)-1-i])
	}
	const n = 2000
	var publishers sync.WaitGroup
	for _, room := range rooms {
		publishers.Go(func() {
			for range n {
				if err := room.Ready(t.Context()); err != nil {
					t.Error(err)
					return
				}
				add(room, 0, "x")
			}
		})
	}
	publishers.Wait()
	r.Close()
	for i, h := range holders {
		if h.n != 2*n {
			t.Errorf("member %d got %d messages, want %d", i, h.n, 2*n)
		}
	}
}

// counting is a Holder that counts.
type counting struct {
	mu sync.Mutex
	fd int
	n  int
}

func (c *counting) Hold(b *frame.Batch, from int) (int, []byte, bool) {
	if !c.mu.TryLock() {
		return -1, nil, false
	}
	return c.fd, b.Wire(from), true
}

func (c *counting) Settle(b *frame.Batch, from, n int) (int, bool) {
	defer c.mu.Unlock()
	if n == 0 {
		return 0, false
	}
	c.n += b.Len() - from
	return b.Len() - from, false
}

func (c *counting) Send(b *frame.Batch, from int) (int, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += b.Len() - from
	return b.Len() - from, false, nil
}

// TestSmallRooms has the messages of many rooms with few members each, some of them in several rooms, go out together.
func TestSmallRooms(t *testing.T) {
	r := newRig(t, 1, 10, 1<<20)
	fd, received := socket(t)
	var held tallies
	var wired atomic.Int64
	const rooms, rounds = 300, 40
	all := make([]*Room, rooms)
	holders := make([]*holder, rooms)
	for i := range all {
		all[i] = r.room()
		holders[i] = &holder{t: t, fd: fd, held: &held, wired: &wired, busy: i%9 == 4}
		join(t, all[i], holders[i])
		if i%3 == 1 {
			join(t, all[i-1], holders[i])
		}
	}
	for n := range rounds {
		for _, room := range all {
			if err := room.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			room.AddSoon(frame.Text, 0, "", func(dst []byte, _ frame.Form) []byte { return fmt.Appendf(dst, "%d", n) })
		}
		r.Flush()
	}
	r.Close()
	total := 0
	for i, h := range holders {
		next := make(map[int]int)
		rooms := 1
		if i%3 == 1 {
			rooms = 2
		}
		for _, p := range payloads(h.got) {
			n, err := strconv.Atoi(p)
			if err != nil {
				t.Fatal(err)
			}
			next[n]++
			total++
		}
		for n := range rounds {
			if next[n] != rooms {
				t.Errorf("member %d got message %d %d times, want %d", i, n, next[n], rooms)
			}
		}
	}
	if got := r.Delivered.Load(); got != int64(total) {
		t.Errorf("%d delivered, %d received", got, total)
	}
	if out := newOutlet(false); out != nil { // else all went the other way
		out.close()
		if got := received(); got != wired.Load() || got == 0 {
			t.Errorf("the socket has %d bytes, want %d", got, wired.Load())
		}
	}
}
