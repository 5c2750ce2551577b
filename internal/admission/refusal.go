package admission

import (
	"fmt"
	"time"
)

// Reason tells which bound a request met.
type Reason uint8

// The reasons, in the order in which the bounds are looked at.
const (
	// PerAddress: as many connections as MaxPerIP come from the address.
	PerAddress Reason = iota + 1
	// AtCapacity: there are MaxConns connections.
	AtCapacity
	// Handshakes: there are MaxHandshakes handshakes under way.
	Handshakes
	// RateLimited: there is no token.
	RateLimited

	reasons = iota + 1
)

// String returns a text that may be shown to the client.
func (r Reason) String() string {
	switch r {
	case PerAddress:
		return "too many connections from this address"
	case AtCapacity:
		return "too many connections"
	case Handshakes:
		return "too many handshakes"
	case RateLimited:
		return "too many new connections"
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// pause is the least wait after a refusal that says nothing of when there will be room. Where it is longer than the
// place in the queue, it is also the spread.
func (r Reason) pause() time.Duration {
	switch r {
	case PerAddress:
		return 10 * time.Second
	case AtCapacity:
		return 5 * time.Second
	case Handshakes:
		return time.Second
	}
	return 0
}

// Refusal is a request that was not admitted. Its client is to come back after RetryAfter + U(0, Spread).
type Refusal struct {
	// RetryAfter is positive and, with Spread, at most MaxWait. In a Retry-After header it must be rounded up.
	RetryAfter time.Duration
	Spread     time.Duration
	Reason     Reason
	// Soft allows to upgrade the connection nevertheless and to close it at once with 1013 and
	// the hint. It was taken out of the budget; there is nothing to give back.
	Soft bool
}

// Error makes a Refusal fit for a log.
func (r *Refusal) Error() string {
	return fmt.Sprintf("admission: %v; again after %v", r.Reason, r.RetryAfter)
}

// refuse makes a refusal. A hint that its client cannot read makes no promise.
func (g *Gate) refuse(now time.Duration, why Reason, a arrival) *Refusal {
	r := &Refusal{Reason: why, RetryAfter: why.pause(), Spread: why.pause()}
	g.refused[why]++
	if why == PerAddress {
		return r
	}
	if a.browser {
		r.Soft = g.soft.take(now, 0)
		if r.Soft {
			g.softened++
		}
	}
	l, behind := &g.lines[a.line], 0.0
	if a.line == inBulk {
		first := &g.lines[inTurn]
		behind = first.queue.total(first.back.len())
	}
	told := !a.browser || r.Soft
	find := l.queue.look
	if told {
		find = l.queue.place
	}
	wait, ok := find(behind, a.resuming, l.back.len())
	if !ok {
		r.RetryAfter, r.Spread = MaxWait/2, MaxWait/2
		return r
	}
	if wait >= r.RetryAfter {
		// The places are apart; the spread blurs what made them come in step.
		r.Spread = min(max(r.Spread, wait/10), MaxWait-wait)
		r.RetryAfter = wait
	}
	if told {
		p := &l.fresh
		if a.resuming {
			p = &l.back
		}
		last := r.RetryAfter + r.Spread
		p.add(now + last + grace(last))
	}
	return r
}
