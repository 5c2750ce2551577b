package admission

import (
	"math"
	"time"
)

// MaxWait is the longest that a client is told to wait, its spread included. It bounds what a flood of
// requests that are refused can do to the waits of others.
const MaxWait = 10 * time.Minute

// share of the rate is what the schedule gives away. The rest is for those who come unasked, and for chance: a client
// adds a random part to its wait, so that at times more come than there were places.
const share = 0.8

// queue is the schedule of those who wait. It knows no clients, only how long its lanes need, in seconds:
// a fluid queue with two priorities, served at one second a second.
type queue struct {
	each      float64 // seconds from one place to the next
	resuming  float64
	newcomers float64
	last      time.Duration
}

// advance lets the places pass whose time has come.
func (q *queue) advance(now time.Duration) {
	passed := (now - q.last).Seconds()
	q.last = now
	first := min(q.resuming, passed)
	q.resuming -= first
	q.newcomers -= min(q.newcomers, passed-first)
}

// place returns the wait of who comes last in a lane, and whether the queue is short enough for that; only then
// is the place given away. owed resuming clients are still to come, those in the queue among them.
func (q *queue) place(resuming bool, owed int) (wait time.Duration, ok bool) {
	wait, ok = q.look(resuming, owed)
	if ok && resuming {
		q.resuming += q.each
	} else if ok {
		q.newcomers += q.each
	}
	return wait, ok
}

// look is place without giving it away.
func (q *queue) look(resuming bool, owed int) (wait time.Duration, ok bool) {
	seconds := q.resuming + q.each
	if !resuming {
		seconds = max(q.resuming, float64(owed)*q.each) + q.newcomers + q.each
	}
	if seconds > MaxWait.Seconds() {
		return MaxWait, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// waiting returns how many resuming and new clients have places whose time has not come. Rounding makes no place of
// what is left of one.
func (q *queue) waiting() (resuming, newcomers int) {
	places := func(seconds float64) int { return int(math.Ceil(seconds/q.each - 1e-6)) }
	return places(q.resuming), places(q.newcomers)
}

// promises counts what was promised to resuming clients. One that does not come back cannot be told from the others,
// so promises expire by generations: one that closes to new promises has a fixed end, and the next one takes
// its place then.
type promises struct {
	old, young generation
}

type generation struct {
	n   int
	end time.Duration // when the last of them must have been redeemed
}

// grace is how long after a wait its client may still come: Retry-After is in whole seconds and the client adds
// as much as half of it, at least a second; then come a busy machine and a slow network.
func grace(wait time.Duration) time.Duration { return wait/2 + 3*time.Second }

func (p *promises) advance(now time.Duration) {
	for range 2 {
		if p.old.n == 0 || p.old.end <= now {
			p.old, p.young = p.young, generation{}
		}
	}
}

func (p *promises) add(end time.Duration) {
	p.young.n++
	p.young.end = max(p.young.end, end)
}

// redeem takes the oldest promise back, if there is one.
func (p *promises) redeem() {
	switch {
	case p.old.n > 0:
		p.old.n--
	case p.young.n > 0:
		p.young.n--
	}
}

func (p *promises) len() int { return p.old.n + p.young.n }
