package hub

import (
	"bytes"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// presenceTick is how long changes beyond the rate are gathered before the next of them are told.
	presenceTick = 500 * time.Millisecond
	// presenceUnit is how many bytes of a member count as one event. A member with more counts as several.
	presenceUnit = 512
	// presenceBacklog is how long it may take to tell what waits. If it takes longer, members are told to ask.
	presenceBacklog = 10 * time.Second
	// presenceSkew is how much later than an answer a change may come that the answer shows already.
	presenceSkew = 2 * time.Second
	// Members that are told to ask for the list do so within a millisecond for two of them, in these bounds.
	minPresenceSpread = time.Second
	maxPresenceSpread = 30 * time.Second
)

// attendance is what this node tells the members of a room of who comes and goes. While that is little, each change is told
// at once. Beyond the rule's rate changes are gathered: what cancels out is never told, and the rest is told tick by tick.
// If too much waits, nothing is told one by one any more; from time to time members are told to ask.
type attendance struct {
	hub  *Hub
	room *room

	mu      sync.Mutex
	version uint64 // of who is there, as far as this node knows: how often it has changed
	rate    bucket
	waiting map[string]*change // by connection
	order   []*change          // as they came; nil for one that canceled out
	due     time.Duration      // when run has something to do, since the hub's start; zero if it has nothing
	crowded bool               // changes are only counted
	unsaid  int                // of them, since the last push

	list answers
}

// change is what became of a member since others were told of it.
type change struct {
	told   broker.Member // what they know of it, if anything
	known  bool
	now    broker.Member
	joined bool
	shown  bool // an answer may say what was so in between: it must be told even if it cancels out
	at     int  // in order
}

func newAttendance(h *Hub, r *room) *attendance { return &attendance{hub: h, room: r} }

// entered says that a member of this node is there, which the broker may tell later.
func (a *attendance) entered() {
	a.mu.Lock()
	a.version++
	a.mu.Unlock()
}

// note takes in what the broker tells, in its order.
func (a *attendance) note(m broker.Member, joined bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	switch {
	case a.crowded:
		a.unsaid++
	case len(a.waiting) == 0 && a.pay(&m):
		a.tell(&m, joined)
	default:
		a.gather(m, joined)
	}
}

// pay reports whether a change may be told now. It is called with mu held.
func (a *attendance) pay(m *broker.Member) bool {
	l := a.room.rule.changes
	units := 1 + (len(m.Conn)+len(m.User)+len(m.Info))/presenceUnit
	_, ok := a.rate.take(a.hub.now(), min(units, a.room.rule.changesBurst), l)
	return ok
}

// tell is called with mu held, so that members are told in order.
func (a *attendance) tell(m *broker.Member, joined bool) {
	event := protocol.AppendLeave
	if joined {
		event = protocol.AppendJoin
	}
	a.room.AddEvent(frame.Text, func(dst []byte) []byte { return event(dst, a.room.name, protocol.Member(*m)) })
}

// gather is called with mu held.
func (a *attendance) gather(m broker.Member, joined bool) {
	c := a.waiting[m.Conn]
	if c == nil {
		if a.waiting == nil {
			a.waiting = make(map[string]*change)
		}
		c = &change{told: m, known: !joined, at: len(a.order), shown: a.list.recent(a.hub.now())}
		a.waiting[m.Conn] = c
		a.order = append(a.order, c)
	}
	c.now, c.joined = m, joined
	if c.void() {
		a.order[c.at] = nil
		delete(a.waiting, m.Conn)
	}
	if len(a.waiting) > a.most() {
		a.crowd()
		return
	}
	a.wake(presenceTick)
}

// void reports whether those who were told last know all.
func (c *change) void() bool {
	return !c.shown && c.joined == c.known &&
		(!c.joined || c.now.User == c.told.User && bytes.Equal(c.now.Info, c.told.Info))
}

// most is how many changes may wait.
func (a *attendance) most() int {
	return int(presenceBacklog.Seconds() * a.room.rule.changes.perSecond())
}

// wake has run called, unless it will be anyway. It is called with mu held.
func (a *attendance) wake(in time.Duration) {
	if a.due == 0 {
		a.due = a.hub.now() + in
		time.AfterFunc(in, a.run)
	}
}

// run tells what has gathered. A calm room has no timer and no goroutine.
func (a *attendance) run() {
	if a.hub.ctx.Err() != nil {
		return
	}
	a.hub.life.enter()
	defer a.hub.life.leave()
	a.mu.Lock()
	if a.due == 0 || a.hub.now() < a.due {
		a.mu.Unlock()
		return // crowd was called after this was planned
	}
	a.due = 0
	crowded := a.crowded
	if !crowded {
		a.tellSome()
	}
	a.mu.Unlock()
	if crowded {
		a.push()
	}
}

// tellSome tells as much of what waits as the rate allows. It is called with mu held.
func (a *attendance) tellSome() {
	i := 0
	for ; i < len(a.order); i++ {
		c := a.order[i]
		if c == nil {
			continue
		}
		if !a.pay(&c.now) {
			break
		}
		a.tell(&c.now, c.joined)
		delete(a.waiting, c.now.Conn)
	}
	rest := a.order[i:]
	a.order = nil
	for _, c := range rest {
		if c != nil {
			c.at = len(a.order)
			a.order = append(a.order, c)
		}
	}
	if len(a.waiting) > 0 {
		a.wake(presenceTick)
	}
}

// crowd gives up telling each change. It is called with mu held.
func (a *attendance) crowd() {
	a.unsaid = len(a.waiting)
	a.waiting, a.order = nil, nil
	a.crowded = true
	a.due = 0
	a.wake(time.Nanosecond)
}

// push tells members of a crowded room how many they are, and to ask if they want to know who. It goes on to tell each
// change when few enough have come since the last time.
func (a *attendance) push() {
	answer, err := a.ask(a.hub.ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.crowded: // another run was first
	case err != nil:
		a.wake(presenceTick)
	default:
		if a.unsaid > 0 {
			a.tellAll(answer.count)
		}
		a.crowded = a.unsaid > a.most()
		a.unsaid = 0
		if a.crowded {
			a.wake(presenceBacklog)
		}
	}
}

// tellAll is called with mu held. count is negative if it is not known.
func (a *attendance) tellAll(count int) {
	spread := min(max(time.Duration(max(count, a.room.Len()))*time.Millisecond/2, minPresenceSpread), maxPresenceSpread)
	a.room.AddEvent(frame.Text, func(dst []byte) []byte {
		return protocol.AppendPresenceChanged(dst, a.room.name, count, spread)
	})
}

// missed says that changes may have been lost between the broker and here: members have to ask.
func (a *attendance) missed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.waiting, a.order = nil, nil
	if a.crowded {
		a.unsaid++
	} else {
		a.tellAll(-1)
	}
}
