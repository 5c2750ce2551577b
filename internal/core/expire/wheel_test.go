package expire

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// log is what a wheel told of each key.
type log struct {
	mu    sync.Mutex
	start time.Time
	asked map[int]time.Duration
	ended map[int]time.Duration
	left  map[int]time.Duration
	most  int // rights within a tick that were asked about
	tick  map[time.Duration]int
	batch int // the largest
}

func newLog() *log {
	return &log{start: time.Now(), asked: map[int]time.Duration{}, ended: map[int]time.Duration{}, left: map[int]time.Duration{},
		tick: map[time.Duration]int{}}
}

func (l *log) take(due []Due[int]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Since(l.start)
	l.batch = max(l.batch, len(due))
	for _, d := range due {
		if d.Event == End {
			l.ended[d.Key] = at
			continue
		}
		l.asked[d.Key], l.left[d.Key] = at, d.Left
		l.tick[at.Truncate(time.Second)]++
		l.most = max(l.most, l.tick[at.Truncate(time.Second)])
	}
}

// inBubble runs a test with a wheel.
func inBubble(t *testing.T, f func(*testing.T, *Wheel[int], *log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		w, err := New(0, l.take)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		f(t, w, l)
	})
}

// TestEnds: rights of any length end at their time or up to a tick later, after one question in time.
func TestEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Wheel[int], l *log) {
		lives := make([]time.Duration, 2000)
		for i := range lives {
			lives[i] = rand.N(time.Duration(1+i) * 4 * time.Second)
			w.Set(i, lives[i])
		}
		time.Sleep(2000*4*time.Second + 2*DefaultTick)
		synctest.Wait()
		for i, life := range lives {
			if late := l.ended[i] - life; late < 0 || late > DefaultTick {
				t.Errorf("a right of %v ended after %v", life, l.ended[i])
			}
			at, ok := l.asked[i]
			if ok != (life/100*askLate >= minNotice*DefaultTick) {
				t.Errorf("a right of %v was asked about: %t", life, ok)
			}
			if ok && (life-at > life/100*askEarly+1 || life-at < life/100*askLate-DefaultTick || l.left[i] != life-at) {
				t.Errorf("a right of %v was asked about after %v, with %v left", life, at, l.left[i])
			}
		}
		if w.Len() != 0 || len(l.ended) != len(lives) {
			t.Errorf("%d are left, %d have ended", w.Len(), len(l.ended))
		}
	})
}

// TestAskIsSpread: holders of rights that were given together are asked at different times.
func TestAskIsSpread(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Wheel[int], l *log) {
		const n = 50_000
		for i := range n {
			w.Set(i, time.Hour) // a fifth of it is 720 ticks
		}
		time.Sleep(time.Hour + 2*DefaultTick)
		synctest.Wait()
		if len(l.asked) != n || l.most > 2*n/720 {
			t.Errorf("%d were asked, %d within a tick, want about %d", len(l.asked), l.most, n/720)
		}
		if len(l.ended) != n || l.batch != MaxBatch {
			t.Errorf("%d ended, %d at once, want %d at most", len(l.ended), l.batch, MaxBatch)
		}
	})
}

// TestSetAgain: a right that was renewed ends by the last that was said, and one that was removed does not.
func TestSetAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Wheel[int], l *log) {
		w.Set(1, time.Minute)
		w.Set(2, time.Minute)
		w.Set(3, time.Hour)
		w.Set(4, -time.Minute)
		w.Set(5, 1<<63-1) // longer than anybody lives
		time.Sleep(30 * time.Second)
		if left, ok := w.Left(1); !ok || left != 30*time.Second {
			t.Errorf("left: %v, %t", left, ok)
		}
		w.Set(1, 2*time.Minute)
		w.Set(3, 10*time.Second)
		if !w.Remove(2) || w.Remove(2) || w.Len() != 3 {
			t.Error("not removed once")
		}
		if _, ok := w.Left(2); ok {
			t.Error("one that was removed has an end")
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		want := map[int]time.Duration{1: 150 * time.Second, 3: 40 * time.Second, 4: DefaultTick}
		for key, at := range want {
			if got := l.ended[key]; got < at || got > at+DefaultTick {
				t.Errorf("%d ended after %v, want %v", key, got, at)
			}
		}
		if len(l.ended) != len(want) || w.Len() != 1 {
			t.Errorf("ended: %v, %d are left", l.ended, w.Len())
		}
	})
}

// TestFromTheCallback: the callback may use the wheel, also for keys of the slot that is swept.
func TestFromTheCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5000
		ended := make(map[int]int)
		removed := make(map[int]bool)
		var w *Wheel[int]
		var err error
		w, err = New(0, func(due []Due[int]) {
			told := make(map[int]bool, len(due))
			for _, d := range due {
				told[d.Key] = true
			}
			for _, d := range due {
				if removed[d.Key] {
					t.Errorf("%d ended though it was removed", d.Key)
				}
				if ended[d.Key]++; ended[d.Key] == 1 && d.Key%2 == 0 {
					w.Set(d.Key, time.Duration(d.Key%3)*time.Minute)
				}
				if other := (d.Key + 1237) % n; d.Key%5 == 0 && !told[other] && w.Remove(other) {
					removed[other] = true
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			w.Set(i, time.Second)
		}
		time.Sleep(time.Hour)
		w.Close()
		for i := range n {
			if ended[i] == 0 && !removed[i] {
				t.Errorf("%d has not ended", i)
			}
		}
		if w.Len() != 0 {
			t.Errorf("%d are left", w.Len())
		}
	})
}

// TestBlockedCallback: what comes due while a callback blocks is told afterwards, and the wheel can be used meanwhile.
func TestBlockedCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []int
		w, err := New(0, func(due []Due[int]) {
			for _, d := range due {
				if ended = append(ended, d.Key); d.Key == 0 {
					time.Sleep(2 * slots * time.Second)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			w.Set(i, time.Duration(1+i*100)*time.Millisecond)
		}
		time.Sleep(time.Minute)
		begin := time.Now()
		if w.Set(100, time.Minute); !w.Remove(100) || time.Since(begin) != 0 {
			t.Errorf("the wheel was blocked for %v", time.Since(begin))
		}
		time.Sleep(3 * slots * time.Second)
		w.Close()
		if len(ended) != 40 {
			t.Errorf("%d ended, want 40", len(ended))
		}
	})
}

func TestClose(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Wheel[int], l *log) {
		w.Set(1, time.Second)
		w.Close()
		w.Close()
		time.Sleep(time.Minute)
		if len(l.ended) != 0 || !w.Remove(1) {
			t.Error("something ended after Close")
		}
	})
	if _, err := New(time.Microsecond, func([]Due[int]) {}); err == nil {
		t.Error("a tick of 1 us was taken")
	}
}

// TestFootprint: an entry takes what Wheel's documentation says.
func TestFootprint(t *testing.T) {
	type key struct{ conn, room uint64 }
	const n = 200_000
	w, err := New(time.Hour, func([]Due[key]) {})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range uint64(n) {
		w.Set(key{i, i}, rand.N(40*24*time.Hour))
	}
	each := (heap() - before) / n
	runtime.KeepAlive(w)
	t.Logf("%d bytes an entry", each)
	if each > 160 {
		t.Errorf("%d bytes an entry, want at most 160", each)
	}
}

func BenchmarkSet(b *testing.B) {
	w, err := New(time.Hour, func([]Due[int]) {})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	for i := range 1_000_000 {
		w.Set(i, rand.N(1000*time.Hour))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.Set(i%1_000_000, time.Duration(i%1000)*time.Hour)
		i += 7919
	}
}

// BenchmarkTick sweeps one tick of a million rights that last an hour, of which about one in 3,600 is due.
func BenchmarkTick(b *testing.B) {
	w, err := New(time.Hour, func([]Due[int]) {})
	if err != nil {
		b.Fatal(err)
	}
	w.Close()
	w.tick = time.Second // by hand from here
	for i := range 1_000_000 {
		w.Set(i, rand.N(time.Hour))
	}
	w.stop = make(chan struct{})
	batch := make([]Due[int], 0, MaxBatch)
	told := 0
	w.call = func(due []Due[int]) {
		told += len(due)
		for _, d := range due {
			if d.Event == End {
				w.Set(d.Key, time.Hour)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		tick, _ := w.next(w.now + 1)
		w.sweep(tick, batch)
	}
	b.ReportMetric(float64(told)/float64(b.N), "due/op")
}
