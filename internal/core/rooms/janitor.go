package rooms

import (
	"context"
	"sync"
	"time"
)

// janitor unsubscribes from rooms that have been empty for a while, many at a time.
type janitor struct {
	node *Node

	mu     sync.Mutex
	queue  []emptied // in the order of their time
	timer  *time.Timer
	closed bool
}

type emptied struct {
	room *Room
	due  time.Duration // since the node's start
}

// unsubscribeTimeout bounds one call to the broker; what it does not manage stays subscribed, which costs
// messages for nobody but loses none.
const unsubscribeTimeout = 5 * time.Second

func (j *janitor) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.queue = nil
	if j.timer != nil {
		j.timer.Stop()
	}
}

func (j *janitor) add(r *Room) {
	linger := j.node.conf.Linger
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.queue = append(j.queue, emptied{r, j.node.now() + linger})
	if len(j.queue) == 1 {
		j.wake(linger)
	}
}

func (j *janitor) wake(in time.Duration) {
	if j.timer == nil {
		j.timer = time.AfterFunc(in, func() { j.node.conf.Run(j.sweep) })
		return
	}
	j.timer.Reset(in)
}

// sweep unsubscribes from the rooms whose time has come.
func (j *janitor) sweep() {
	var rooms []*Room
	var names []string
	for _, r := range j.due() {
		if j.node.claim(r) {
			rooms = append(rooms, r)
			names = append(names, r.name)
		}
	}
	if len(names) == 0 {
		return
	}
	conf := &j.node.conf
	ctx, cancel := context.WithTimeout(conf.Context, unsubscribeTimeout)
	defer cancel()
	defer func() { // even if the broker panics: others may wait for it
		for _, r := range rooms {
			j.node.unsubscribed(r)
		}
	}()
	if err := conf.Broker.Unsubscribe(ctx, names...); err != nil {
		conf.Log.Warn("unsubscribe failed", "rooms", len(names), "err", err)
	}
}

// due takes the rooms whose time has come.
func (j *janitor) due() (due []*Room) {
	now := j.node.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.queue) > 0 && j.queue[0].due <= now {
		due = append(due, j.queue[0].room)
		j.queue = j.queue[1:]
	}
	if len(j.queue) > 0 {
		j.wake(j.queue[0].due - now)
	} else {
		j.queue = nil
	}
	return due
}
