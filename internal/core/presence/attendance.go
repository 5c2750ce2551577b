package presence

import (
	"bytes"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// tick is how long changes beyond the rate are gathered before the next of them are told.
	tick = 500 * time.Millisecond
	// unit is how many bytes of a member count as one change. A member with more counts as several.
	unit = 512
	// maxBacklog is how long it may take to tell what waits. If it takes longer, members are told to ask.
	maxBacklog = 10 * time.Second
	// Members that are told to ask for the list do so within a millisecond for two of them, in these bounds.
	minSpread = time.Second
	maxSpread = 30 * time.Second
)

// Attendance is what a node tells the members of a room of who comes and goes. While that is little, each change is told
// at once. Beyond the rate changes are gathered: what cancels out is never told, and the rest is told tick by tick.
// If too much waits, nothing is told one by one any more; from time to time members are told to ask. Its methods may be
// called from several goroutines.
type Attendance struct {
	node    *Node
	room    string
	members Members
	limit   Rate

	mu      sync.Mutex
	version uint64 // of who is there, as far as this node knows: how often it has changed
	spent   rate.Bucket
	waiting map[string]*change // by connection
	order   []*change          // as they came; nil for one that canceled out
	due     time.Duration      // when run has something to do; zero if it has nothing
	crowded bool               // changes are only counted
	unsaid  int                // of them, since the last push
	size    int                // of the room, about: of the last answer, and what has changed since
	asked   bool               // for the size

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

// Entered says that a member of this node is there, which the broker may tell later.
func (a *Attendance) Entered() {
	a.mu.Lock()
	a.version++
	a.mu.Unlock()
}

// Note takes in what the broker tells, in its order. It does not block.
func (a *Attendance) Note(m broker.Member, joined bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	if a.limit.Counts > 0 {
		a.resized(joined)
	}
	switch {
	case a.crowded:
		a.unsaid++
	case len(a.waiting) == 0 && a.pay(&m):
		a.tell(&m, joined)
	default:
		a.gather(m, joined)
	}
}

// resized notes that a member came or went in a room that has a bound. It is called with mu held.
func (a *Attendance) resized(joined bool) {
	if joined {
		a.size++
	} else {
		a.size--
	}
	switch {
	case a.size > a.limit.Counts && !a.crowded:
		a.crowd()
		a.unsaid++ // at least: that there are too many has to be said
	case !a.asked:
		a.asked = true
		a.node.conf.Run(func() { _, _ = a.Ask(a.node.conf.Context) }) // sized is told
	}
}

// sized notes how many members there are. It is called with mu held.
func (a *Attendance) sized(count int) {
	a.size, a.asked = count, true
	if a.tooMany(count) && !a.crowded {
		a.crowd()
		a.unsaid++
	}
}

// tooMany reports whether a room has more members than are told of each other one by one.
func (a *Attendance) tooMany(count int) bool { return a.limit.Counts > 0 && count > a.limit.Counts }

// pay reports whether a change may be told now. It is called with mu held.
func (a *Attendance) pay(m *broker.Member) bool {
	units := 1 + (len(m.Conn)+len(m.User)+len(m.Info))/unit
	_, ok := a.spent.Take(a.node.now(), min(units, a.limit.Burst), a.limit.Limit)
	return ok
}

// tell is called with mu held, so that members are told in order.
func (a *Attendance) tell(m *broker.Member, joined bool) {
	a.members.AddEvent(func(dst []byte, f frame.Form) []byte {
		return codec.Of(f).Change(dst, a.room, protocol.Member(*m), joined)
	})
}

// gather is called with mu held.
func (a *Attendance) gather(m broker.Member, joined bool) {
	c := a.waiting[m.Conn]
	if c == nil {
		if a.waiting == nil {
			a.waiting = make(map[string]*change)
		}
		c = &change{told: m, known: !joined, at: len(a.order), shown: a.list.recent(a.node.now())}
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
	a.wake(tick)
}

// void reports whether the members that were told last know everything.
func (c *change) void() bool {
	return !c.shown && c.joined == c.known &&
		(!c.joined || c.now.User == c.told.User && bytes.Equal(c.now.Info, c.told.Info))
}

// most is how many changes may wait.
func (a *Attendance) most() int {
	return int(maxBacklog.Seconds() * a.limit.PerSecond())
}

// wake has run called, unless it will be anyway. It is called with mu held.
func (a *Attendance) wake(in time.Duration) {
	if a.due == 0 {
		a.due = a.node.now() + in
		time.AfterFunc(in, func() {
			if a.node.conf.Context.Err() == nil {
				a.node.conf.Run(a.run)
			}
		})
	}
}

// run tells what has gathered.
func (a *Attendance) run() {
	a.mu.Lock()
	if a.due == 0 || a.node.now() < a.due {
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
func (a *Attendance) tellSome() {
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
		a.wake(tick)
	}
}

// crowd gives up telling each change. It is called with mu held.
func (a *Attendance) crowd() {
	a.unsaid = len(a.waiting)
	a.waiting, a.order = nil, nil
	a.crowded = true
	a.due = 0
	a.wake(time.Nanosecond)
}

// push tells members of a crowded room how many they are, and to ask if they want to know who. It goes on to tell each
// change when few enough have come since the last time.
func (a *Attendance) push() {
	answer, err := a.Ask(a.node.conf.Context)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.crowded: // another run was first
	case err != nil:
		a.wake(tick)
	default:
		if a.unsaid > 0 {
			a.tellAll(answer.Count)
		}
		a.crowded = a.unsaid > a.most() || a.tooMany(answer.Count)
		a.unsaid = 0
		if a.crowded {
			a.wake(maxBacklog)
		}
	}
}

// tellAll is called with mu held. count is negative if it is not known.
func (a *Attendance) tellAll(count int) {
	spread := min(max(time.Duration(max(count, a.members.Len()))*time.Millisecond/2, minSpread), maxSpread)
	a.members.AddEvent(func(dst []byte, f frame.Form) []byte {
		return codec.Of(f).PresenceChanged(dst, a.room, count, spread)
	})
}

// Missed says that changes may have been lost between the broker and here: members have to ask.
func (a *Attendance) Missed() {
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
