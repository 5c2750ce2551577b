package heartbeat

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"
)

func TestSizeOfEntry(t *testing.T) {
	if got := unsafe.Sizeof(Entry{}); got != 16 {
		t.Errorf("%d bytes, documented are 16", got)
	}
}

// A peer costs 16 bytes in the monitor, and a little; when it is gone, so is what it cost.
func TestMemoryPerPeer(t *testing.T) {
	const n = 200_000
	peers := make([]counted, n)
	m, err := newMonitor[Peer](Default())
	if err != nil {
		t.Fatal(err)
	}
	heap := func() float64 {
		var ms runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&ms)
		return float64(ms.HeapAlloc)
	}
	before := heap()
	for i := range peers {
		if err := m.Add(&peers[i]); err != nil {
			t.Fatal(err)
		}
	}
	per := (heap() - before) / n
	t.Logf("%.1f bytes a peer", per)
	if per > 18 {
		t.Errorf("%.1f bytes a peer", per)
	}
	for i := range peers {
		m.Remove(&peers[i])
	}
	if left := heap() - before; left > 512<<10 {
		t.Errorf("%.0f bytes left without peers", left)
	}
	runtime.KeepAlive(m)
	runtime.KeepAlive(peers)
}

// A crowd in one slot leaves nothing behind.
func TestCrowdedSlotShrinks(t *testing.T) {
	w := newWheel[Peer](4)
	peers := make([]counted, 1000*chunkLen)
	for i := range peers {
		w.put(&peers[i], &peers[i].entry, 1, idle)
	}
	for i := range peers {
		w.take(&peers[i].entry)
	}
	if s := w.slots[1]; s.n != 0 || cap(s.chunks) != 0 || len(w.spare) > spareChunks {
		t.Errorf("%d peers, room for %d chunks, %d spare chunks", s.n, cap(s.chunks), len(w.spare))
	}
}

// The wheel against a model: a random walk of puts, takes and pops.
func TestWheelAgainstModel(t *testing.T) {
	const size = 8
	w := newWheel[Peer](size)
	peers := make([]counted, 2000)
	where := make(map[*counted]uint32)
	for range 50_000 {
		p := &peers[rand.IntN(len(peers))]
		at, in := where[p]
		switch {
		case rand.IntN(500) == 0:
			from := rand.Uint32N(size + 1)
			var got chunk[Peer]
			for _, q := range got[:w.pop(from, &got)] {
				c := q.(*counted)
				if where[c] != from {
					t.Fatalf("popped from %d, was put in %d", from, where[c])
				}
				c.entry.set(0, absent)
				delete(where, c)
			}
		case in:
			if p.entry.slot() != at || !w.holds(&p.entry) {
				t.Fatalf("in slot %d, was put in %d", p.entry.slot(), at)
			}
			w.take(&p.entry)
			p.entry.set(0, absent)
			delete(where, p)
		default:
			to := rand.Uint32N(size + 1)
			w.put(p, &p.entry, to, idle)
			where[p] = to
		}
	}
	n := 0
	for i := range w.slots {
		n += int(w.slots[i].n)
	}
	if n != len(where) || n == 0 {
		t.Errorf("%d peers, want %d", n, len(where))
	}
}

func TestHeardNeverMovesBack(t *testing.T) {
	var e Entry
	for _, step := range []struct{ now, want uint32 }{
		{5, 5}, {5, 5}, {4, 5}, {6, 6},
		{1 << 30, 1 << 30}, {6, 1 << 30}, {1 << 31, 1 << 31}, {3 << 30, 3 << 30},
		{1, 1}, {3 << 30, 1}, // ticks have wrapped around
	} {
		if e.hear(step.now); e.heard.Load() != step.want {
			t.Fatalf("hear(%d) gives %d, want %d", step.now, e.heard.Load(), step.want)
		}
	}
}

// Everything at once, for the race detector; in the end each peer is where its entry says.
func TestConcurrentUse(t *testing.T) {
	r := newRig(t, Policy{Interval: 20 * time.Millisecond, Timeout: 5 * time.Millisecond}, 0)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	kept := 0
	for seed := range uint64(4) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			own := make([]counted, 500)
			for i := range own {
				c := &own[i]
				c.ping = func() { r.Heard(&c.entry) }
				if i%3 == 0 {
					c.ping = nil
					c.expire = func() bool { return !r.Remove(c) }
				}
			}
			for running := true; running; {
				select {
				case <-stop:
					running = false
				default:
				}
				for range 100 {
					c := &own[rng.IntN(len(own))]
					switch rng.IntN(4) {
					case 0:
						_ = r.Add(c) // may be in already
					case 1:
						r.Remove(c)
					default:
						r.Heard(&c.entry)
					}
				}
				r.Stats()
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range own {
				if own[i].entry.state() != absent {
					kept++
				}
			}
		})
	}
	for ticks := 0; ticks < 2000 || r.Stats().Pings == 0 || r.Stats().Revived == 0; ticks++ {
		r.run(1)
	}
	close(stop)
	wg.Wait()
	r.check()
	if r.Len() != kept {
		t.Errorf("%d peers, %d entries say so", r.Len(), kept)
	}
}
