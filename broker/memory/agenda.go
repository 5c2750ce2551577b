package memory

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// never is the due time of what does not expire.
const never = math.MaxInt64

// after is now + d without overflow.
func after(now int64, d time.Duration) int64 {
	if now > 0 && int64(d) > never-now {
		return never
	}
	return now + int64(d)
}

// deadline says when something of a room has to be looked at. due may be too early, never too late:
// who looks finds out, and plans anew. It is written under the room's lock and the agenda's, so that
// either is enough to read it; slot is the agenda's alone.
type deadline struct {
	room *room
	due  int64
	slot int // place in the heap, from 1; 0 is outside
}

// agenda is a queue of deadlines, the earliest first.
type agenda struct {
	mu   sync.Mutex
	heap deadlines
	wake chan struct{}
}

// plan sets a deadline; never takes it out. The room must be locked.
func (a *agenda) plan(d *deadline, due int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.due = due
	switch {
	case due == never:
		if d.slot > 0 {
			heap.Remove(&a.heap, d.slot-1)
		}
		return
	case d.slot > 0:
		heap.Fix(&a.heap, d.slot-1)
	default:
		heap.Push(&a.heap, d)
	}
	if d.slot == 1 {
		select {
		case a.wake <- struct{}{}:
		default: // the sweeper has been told already
		}
	}
}

// take removes the earliest deadline that is due by now and returns its room, or nil and when the
// next one is due. Who takes a deadline must look at the room and plan anew.
func (a *agenda) take(now int64) (*room, int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.heap) == 0 {
		return nil, never
	}
	if d := a.heap[0]; d.due > now {
		return nil, d.due
	}
	return heap.Pop(&a.heap).(*deadline).room, 0
}

type deadlines []*deadline

func (h *deadlines) Len() int           { return len(*h) }
func (h *deadlines) Less(i, j int) bool { return (*h)[i].due < (*h)[j].due }

func (h *deadlines) Swap(i, j int) {
	s := *h
	s[i], s[j] = s[j], s[i]
	s[i].slot, s[j].slot = i+1, j+1
}

func (h *deadlines) Push(x any) {
	d := x.(*deadline)
	*h = append(*h, d)
	d.slot = len(*h)
}

func (h *deadlines) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	d.slot = 0
	if cap(*h) > 1024 && len(*h) < cap(*h)/4 {
		*h = append(make(deadlines, 0, 2*len(*h)), *h...)
	}
	return d
}
