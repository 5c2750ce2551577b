package redis

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

const (
	maxQueue     = 1024    // events of a room that wait for the receiver
	maxHeld      = 1024    // messages of a room that wait for those before them
	maxHeldBytes = 1 << 20 // and their payloads and Metas
)

// room is one subscription: what is known of a room, and the order in which its events reach the receiver.
//
// Whoever has an event and finds the room idle makes it busy, calls the receiver without the lock, and
// then hands over what others have queued meanwhile. So calls come one at a time, whichever goroutine
// they come from.
type room struct {
	name    string
	channel string
	bus     bool // a channel for commands, not a room
	slot    int
	ready   atomic.Bool // subscribed to and primed at least once
	refused atomic.Bool // the server's user may not have it, as was seen last

	// Guarded by registry.mu.
	link   *link
	adrift bool // not subscribed to on its link, though it should be

	mu        sync.Mutex
	to        broker.RoomReceiver // nil if the receiver finds the room by its name
	gone      bool
	primed    bool      // last is known
	unsure    bool      // last must be compared with what Redis has
	last      mark      // the newest message handed over; it was there to begin with, if none was
	kept      time.Time // when Redis was asked for last's epoch, and to keep it
	lagging   bool      // messages are missing; a catch-up will bring them
	working   bool      // the catch-up is under way
	asked     int       // how many messages were held when it last asked
	held      []message
	heldBytes int
	waiting   []*countdown
	busy      bool
	queue     []event
}

// deliverTo says who takes the messages from now on, of a room that is subscribed to once more.
func (r *room) deliverTo(to broker.RoomReceiver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// event is a call of the receiver.
type event struct {
	messages []broker.Message
	gap      *broker.Position
	member   *broker.Member
	joined   bool
}

type verdict int

const (
	deliver verdict = iota
	drop
	behind // dropped or held, and a catch-up must be started
)

// follows tells whether m comes right after last. In a room without messages the epoch may have changed: whoever hears all
// that is published knows that nothing came between.
func follows(last mark, m *message) bool {
	if last.offset == 0 {
		return m.at.offset == 1
	}
	return m.at.epoch == last.epoch && m.at.offset == last.offset+1 && m.before == last.stamp
}

// known tells whether m was handed over before, or skipped by a gap. A message of the same epoch with a newer
// stamp at an old offset was not: it is of a history that went another way.
func known(last mark, m *message) bool {
	return m.at.epoch == last.epoch && m.at.offset <= last.offset && m.at.stamp <= last.stamp
}

// admit decides on a stored message that came through the channel. The caller holds the lock.
func (r *room) admit(m *message) verdict {
	switch {
	case r.lagging:
		r.hold(m)
		return drop
	case r.busy && len(r.queue) >= maxQueue:
		// The receiver is too slow. What is dropped here can be read again.
	case !r.primed || follows(r.last, m):
		r.primed = true
		r.follow(m)
		return deliver
	case known(r.last, m):
		return drop
	}
	r.lagging = true
	r.hold(m)
	return behind
}

// follow makes m the newest. The epoch shares the memory of its message, so it is kept while it stays the
// same.
func (r *room) follow(m *message) {
	if m.at.epoch == r.last.epoch {
		m.at.epoch, m.Position.Epoch = r.last.epoch, r.last.epoch
	} else {
		m.at.epoch = strings.Clone(m.at.epoch)
		m.Position.Epoch = m.at.epoch
	}
	r.last = m.at
}

// hold keeps a message until those before it have come. When there are too many, all are let go: they are
// stored, and will be read.
func (r *room) hold(m *message) {
	if len(r.held) >= maxHeld || r.heldBytes+m.size() > maxHeldBytes {
		r.held, r.heldBytes, r.asked = nil, 0, 0
	}
	m.own()
	r.held = append(r.held, *m)
	r.heldBytes += m.size()
}

// page is what a catch-up has read: messages after the one it asked for, or a gap.
type page struct {
	top      mark
	gap      bool
	more     bool
	messages []message
	invalid  int64 // entries of the log that were none
}

// advance takes in what a catch-up has read and tells what to hand over, and whether more must be read.
// The caller holds the lock.
func (r *room) advance(p *page) (events []event, again bool) {
	if p.gap {
		at := p.top.position()
		events = append(events, event{gap: &at})
		r.last = p.top
	}
	var out []broker.Message
	for i := range p.messages {
		r.follow(&p.messages[i])
		out = append(out, p.messages[i].Message)
	}
	again = p.more
	if !again {
		var rest int
		for rest = range r.held {
			m := &r.held[rest]
			if follows(r.last, m) {
				r.follow(m)
				out = append(out, m.Message)
			} else if rest >= r.asked && !known(r.last, m) {
				again = true // it came after the reading: the next one will show what is before it
				break
			}
			// What came before the reading and is not part of what was read is of another time.
		}
		if again {
			r.held = slices.Clone(r.held[rest:])
		}
	}
	if !again {
		r.held, r.heldBytes, r.lagging = nil, 0, false
	}
	if len(out) > 0 {
		events = append(events, event{messages: out})
	}
	return events, again
}

// compare takes in the newest position that Redis has, and tells whether a catch-up must be started.
// Too much of that does no harm: the catch-up looks again. The caller holds the lock.
func (r *room) compare(top mark) (behind bool) {
	r.unsure = false
	switch {
	case r.gone || r.lagging:
		return false
	case !r.primed:
		r.primed, r.last = true, top
		return false
	case r.last == top:
		return false
	case r.last.epoch == "" && top.offset == 0:
		r.last = top
		return false
	}
	r.lagging = true
	return true
}

// post hands events to the receiver, or queues them where it is being called. The caller holds the lock,
// which post releases.
func (r *room) post(to broker.Receiver, events ...event) {
	if r.busy || len(events) == 0 {
		r.queue = append(r.queue, events...)
		r.mu.Unlock()
		return
	}
	r.busy = true
	r.mu.Unlock()
	r.call(to, events)
	r.finish(to)
}

// finish hands over what was queued and makes the room idle.
func (r *room) finish(to broker.Receiver) {
	r.mu.Lock()
	for len(r.queue) > 0 {
		events := r.queue
		r.queue = nil
		r.mu.Unlock()
		r.call(to, events)
		r.mu.Lock()
	}
	r.busy = false
	r.mu.Unlock()
}

func (r *room) call(to broker.Receiver, events []event) {
	for _, e := range events {
		switch {
		case e.gap != nil:
			to.Gap(r.name, *e.gap)
		case e.member != nil:
			to.PresenceChanged(r.name, *e.member, e.joined)
		default:
			to.Deliver(r.name, e.messages)
		}
	}
}
