package fanout

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

func TestNewSchedulerReportsEveryFault(t *testing.T) {
	_, err := NewScheduler(Config{MaxBytes: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Workers must be positive, is 0", "MaxMessages must be positive, is 0", "MaxBytes must be positive, is -1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// TestLargeRoom has a room's members share the work of several workers. No pass begins before the one before
// it has reached everybody.
func TestLargeRoom(t *testing.T) {
	const members, messages = 10_000, 30
	r := newRig(t, 4, 8, 1<<20)
	room := r.room()
	var mu sync.Mutex
	var batch *frame.Batch
	reached, passes := members, 0
	watch := func(b *frame.Batch, _ int) {
		mu.Lock()
		defer mu.Unlock()
		if reached == members { // the first Send of a pass
			batch, reached = b, 0
			passes++
		}
		if b != batch {
			t.Error("two passes at once")
		}
		reached++
	}
	all := make([]*member, members)
	for i := range all {
		all[i] = &member{hook: watch}
		join(t, room, all[i])
	}
	var want []string
	for i := range messages {
		if err := room.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		add(room, 0, "%d", i)
		want = append(want, fmt.Sprint(i))
	}
	r.Close()
	for _, m := range all {
		if got := m.got(); !slices.Equal(got, want) {
			t.Fatalf("got %q", got)
		}
	}
	if passes < messages/8 || passes > messages {
		t.Errorf("%d passes", passes)
	}
	if got := r.Delivered.Load(); got != members*messages {
		t.Errorf("%d sent, want %d", got, members*messages)
	}
}

// TestWorkersShareARoom has two members of different chunks wait for each other: only two workers can serve
// them.
func TestWorkersShareARoom(t *testing.T) {
	r := newRig(t, 2, 100, 1<<20)
	room := r.room()
	var meeting sync.WaitGroup
	meeting.Add(2)
	meet := func(*frame.Batch, int) {
		meeting.Done()
		meeting.Wait()
	}
	for i := range 2 * chunkSize {
		m := new(member)
		if i%chunkSize == 0 {
			m.hook = meet
		}
		join(t, room, m)
	}
	add(room, 0, "x")
	meeting.Wait() // a scheduler that is closed meanwhile may be down to one worker
	r.Close()
	if got := r.Delivered.Load(); got != 2*chunkSize {
		t.Errorf("%d sent, want %d", got, 2*chunkSize)
	}
}

// TestFairness has one worker in a huge room when a message for a small one comes: it is sent after one turn,
// not after the whole pass.
func TestFairness(t *testing.T) {
	const members = 10 * turn * chunkSize
	r := newRig(t, 1, 100, 1<<20)
	huge, small := r.room(), r.room()
	var sent int // by the one worker
	first := newGate()
	opened := first.hook
	first.hook = func(b *frame.Batch, from int) {
		opened(b, from)
		sent++
	}
	join(t, huge, first)
	for range members - 1 {
		join(t, huge, &member{hook: func(*frame.Batch, int) { sent++ }})
	}
	before := -1
	join(t, small, &member{hook: func(*frame.Batch, int) { before = sent }})
	add(huge, 0, "x")
	<-first.entered
	add(small, 0, "y")
	first.open()
	r.Close()
	if before != turn*chunkSize || sent != members {
		t.Errorf("the small room's turn came after %d of %d members, want %d", before, sent, turn*chunkSize)
	}
}

func TestCloseSendsWhatIsQueued(t *testing.T) {
	r := newRig(t, 2, 1000, 1<<20)
	var members []*member
	gates := make([]*gate, 2) // both workers
	for i := range gates {
		gates[i] = newGate()
		room := r.room()
		join(t, room, gates[i])
		add(room, 0, "x")
		<-gates[i].entered
	}
	for i := range 50 {
		room := r.room()
		m := new(member)
		join(t, room, m)
		for range i + 1 {
			add(room, 0, "%d", i)
		}
		members = append(members, m)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		r.Close()
	}()
	for _, g := range gates {
		g.open()
	}
	<-closed
	for i, m := range members {
		if got := len(m.got()); got != i+1 {
			t.Errorf("room %d: %d messages, want %d", i, got, i+1)
		}
	}
	// Nothing is sent afterwards, and nothing hangs.
	add(r.room(), 0, "late")
	late := r.room()
	m := new(member)
	join(t, late, m)
	add(late, 0, "late")
	r.Close()
	expect(t, m)
}

// TestRetained has one member in ten hold on to batches: those stay what they were, while the others' are used
// again.
func TestRetained(t *testing.T) {
	const rooms, messages = 4, 2000
	r := newRig(t, 3, 16, 1<<20)
	var wg sync.WaitGroup
	var keepers []*member
	var mu sync.Mutex
	for k := range rooms {
		room := r.room()
		var round atomic.Int64
		for range 3 {
			m := new(member)
			inner := &keepSometimes{member: m, round: &round}
			join(t, room, inner)
			keepers = append(keepers, m)
		}
		wg.Go(func() {
			for i := range messages {
				if err := room.Ready(t.Context()); err != nil {
					t.Error(err)
				}
				add(room, 0, "room %d message %d %s", k, i, strings.Repeat("x", i%50))
			}
		})
	}
	wg.Wait()
	r.Close()
	mu.Lock()
	defer mu.Unlock()
	kept := 0
	for _, m := range keepers {
		if got := len(m.got()); got != messages {
			t.Errorf("%d messages, want %d", got, messages)
		}
		for i, b := range m.kept {
			if b == nil {
				continue
			}
			kept++
			if got := payloads(b.Wire(0)); !slices.Equal(got, m.passes[i]) {
				t.Fatalf("a batch that was kept has changed: %q, was %q", got, m.passes[i])
			}
		}
	}
	if kept == 0 {
		t.Error("no batch was kept")
	}
}

// keepSometimes keeps every tenth batch, and notes the content of each.
type keepSometimes struct {
	*member
	round *atomic.Int64
}

func (k *keepSometimes) Send(b *frame.Batch, from int) (int, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.passes = append(k.passes, payloads(b.Wire(from)))
	if k.round.Add(1)%10 == 0 {
		k.kept = append(k.kept, b)
		return 0, true, nil
	}
	k.kept = append(k.kept, nil)
	return b.Len() - from, false, nil
}

// TestBatchesAreUsedAgain looks at what an idle room's messages cost.
func TestBatchesAreUsedAgain(t *testing.T) {
	r := newRig(t, 1, 100, 1<<20)
	room := r.room()
	done := make(chan struct{})
	seen := make(map[*frame.Batch]int)
	join(t, room, &member{hook: func(b *frame.Batch, _ int) {
		seen[b]++
		done <- struct{}{}
	}})
	const n = 100
	for range n {
		add(room, 0, "x")
		<-done
	}
	r.Close()
	if len(seen) > n/2 { // the race detector has sync.Pool drop some
		t.Errorf("%d batches for %d messages", len(seen), n)
	}
}

func TestRing(t *testing.T) {
	var r ring
	rooms := make([]Room, 1000)
	var want []*Room
	next := 0
	for step := 0; next < len(rooms) || r.n > 0; step++ {
		// Grows and shrinks, with the head all over the buffer.
		if next < len(rooms) && (step%7 < 4 || r.n == 0) {
			r.push(task{room: &rooms[next]})
			want = append(want, &rooms[next])
			next++
			continue
		}
		if got := r.pop().room; got != want[0] {
			t.Fatalf("step %d: the wrong task", step)
		}
		want = want[1:]
		if r.n != len(want) {
			t.Fatalf("step %d: %d queued, want %d", step, r.n, len(want))
		}
	}
	if slices.ContainsFunc(r.buf, func(t task) bool { return t != task{} }) {
		t.Error("holds on to what was taken out")
	}
}
