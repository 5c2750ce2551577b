package admission

import (
	"math"
	"time"
)

// MaxWait is the longest that a client is told to wait, its spread included. It bounds what a flood of
// requests that are refused can do to the waits of others.
const MaxWait = 10 * time.Minute

const (
	// share of the rate is what the schedule gives away. The rest is for those who come unasked, and for chance: a client
	// adds a random part to its wait, so that at times more come than there were places.
	share = 0.8
	// newShare of the rate belongs to new clients while resuming ones wait.
	newShare = 0.25
)

// queue is the schedule of those who wait. It knows no clients, only how long its lanes need, in seconds:
// a fluid queue with two priorities, served at one second a second. While both lanes have somebody, the new ones get newShare
// of it, and the resuming ones the rest.
type queue struct {
	each      float64 // seconds from one place to the next
	resuming  float64
	newcomers float64
}

// advance lets the places pass whose time has come, and returns what it did not need of the seconds that passed.
func (q *queue) advance(passed float64) (left float64) {
	both := min(passed, q.resuming/(1-newShare), q.newcomers/newShare)
	q.resuming = max(0, q.resuming-both*(1-newShare))
	q.newcomers = max(0, q.newcomers-both*newShare)
	passed -= both
	for _, lane := range []*float64{&q.resuming, &q.newcomers} {
		served := min(*lane, passed)
		*lane -= served
		passed -= served
	}
	return passed
}

// place returns the wait of who comes last in a lane, behind seconds of others, and whether the queue is short enough for
// that; only then is the place given away. owed resuming clients are still to come, those in the queue among them.
func (q *queue) place(behind float64, resuming bool, owed int) (wait time.Duration, ok bool) {
	wait, ok = q.look(behind, resuming, owed)
	if ok && resuming {
		q.resuming += q.each
	} else if ok {
		q.newcomers += q.each
	}
	return wait, ok
}

// look is place without giving it away.
func (q *queue) look(behind float64, resuming bool, owed int) (wait time.Duration, ok bool) {
	var seconds float64
	if resuming {
		seconds = q.resuming + q.each
		seconds += min(q.newcomers, seconds*newShare/(1-newShare))
	} else {
		seconds = q.newcomers + q.each
		seconds += min(q.first(owed), seconds*(1-newShare)/newShare)
	}
	seconds += behind
	if seconds > MaxWait.Seconds() {
		return MaxWait, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// first is what resuming clients need, of whom owed are still to come.
func (q *queue) first(owed int) float64 { return max(q.resuming, float64(owed)*q.each) }

// total is what both lanes need.
func (q *queue) total(owed int) float64 { return q.first(owed) + q.newcomers }

// waiting returns how many resuming and new clients have places whose time has not come. Rounding makes no place of
// what is left of one.
func (q *queue) waiting() (resuming, newcomers int) {
	places := func(seconds float64) int { return int(math.Ceil(seconds/q.each - 1e-6)) }
	return places(q.resuming), places(q.newcomers)
}
