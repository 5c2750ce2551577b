package hub

import (
	"context"
	"sync"
	"time"
)

// janitor unsubscribes from rooms that have been empty for a while, many at a time.
type janitor struct {
	hub *Hub

	mu     sync.Mutex
	queue  []emptied // in the order of their time
	timer  *time.Timer
	closed bool
}

type emptied struct {
	room *room
	due  time.Duration // since the hub's start
}

// unsubscribeTimeout bounds one call to the broker; what it does not manage stays subscribed, which costs
// messages for nobody but loses none.
const unsubscribeTimeout = 5 * time.Second

func (j *janitor) init(h *Hub) { j.hub = h }

func (j *janitor) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.queue = nil
	if j.timer != nil {
		j.timer.Stop()
	}
}

func (j *janitor) add(r *room) {
	linger := j.hub.conf.linger
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.queue = append(j.queue, emptied{r, j.hub.now() + linger})
	if len(j.queue) == 1 {
		j.wake(linger)
	}
}

func (j *janitor) wake(in time.Duration) {
	if j.timer == nil {
		j.timer = time.AfterFunc(in, func() { j.hub.life.Run(j.sweep) })
		return
	}
	j.timer.Reset(in)
}

// sweep takes the rooms whose time has come.
func (j *janitor) sweep() {
	now := j.hub.now()
	j.mu.Lock()
	n := 0
	for n < len(j.queue) && j.queue[n].due <= now {
		n++
	}
	due := j.queue[:n:n]
	j.queue = j.queue[n:]
	if len(j.queue) > 0 {
		j.wake(j.queue[0].due - now)
	} else {
		j.queue = nil
	}
	j.mu.Unlock()

	x := &j.hub.rooms
	var rooms []*room
	var names []string
	for _, e := range due {
		if e.room.claim(x) {
			rooms = append(rooms, e.room)
			names = append(names, e.room.name)
		}
	}
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(j.hub.ctx, unsubscribeTimeout)
	defer cancel()
	err := j.hub.broker.Unsubscribe(ctx, names...)
	if err != nil {
		j.hub.log.Warn("unsubscribe failed", "rooms", len(names), "err", err)
	}
	for _, r := range rooms {
		r.retire(x)
	}
}
