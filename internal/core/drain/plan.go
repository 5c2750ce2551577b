package drain

import (
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
)

// MinSpread is the least spread, so that even a few clients do not reconnect at one moment.
const MinSpread = time.Second

// Hint is a retry hint: a client reconnects after After and a random part of Spread.
type Hint struct{ After, Spread time.Duration }

// Plan is a drain plan: connections leave a node one after another, and reconnect elsewhere in the same order.
type Plan struct {
	conns int
	// Leave is the time over which they leave, and Return the time over which they reconnect. Both count from the beginning.
	// If the successors cannot admit connections as fast as they leave, the rest reconnect later.
	Leave, Return time.Duration
}

// Plan plans for a number of connections and a window. If all successors state their rate and have the capacity, it sets the
// pace. Otherwise the plan uses the full window. It takes at least a tenth of the window: until a load balancer has seen that
// this node is not ready, it sends reconnecting clients back here.
func (to Successors) Plan(conns int, window time.Duration) Plan {
	p := Plan{conns: conns, Leave: window, Return: admission.Spread(conns, to.Rate)}
	if to.Stated && (to.Capacity < 0 || conns <= to.Capacity) {
		p.Leave = min(window, max(p.Return, window/10))
	}
	p.Return = max(p.Return, p.Leave)
	return p
}

// share is what has passed of d when it is the turn of connection i.
func (p Plan) share(d time.Duration, i int) time.Duration {
	if p.conns == 0 {
		return 0
	}
	return time.Duration(float64(d) * float64(i) / float64(p.conns))
}

// Due returns when connection i leaves, counted from the beginning.
func (p Plan) Due(i int) time.Duration { return p.share(p.Leave, i) }

// Hint returns the retry hint of connection i. Connections that leave together reconnect at any time of the window.
// Otherwise they reconnect in the order in which they leave, with a random part.
func (p Plan) Hint(i int) Hint {
	if p.Leave == 0 {
		return Hint{Spread: max(p.Return, MinSpread)}
	}
	return Hint{After: p.share(p.Return-p.Leave, i), Spread: max(p.Return/10, MinSpread)}
}

// Drain is a plan under way.
type Drain struct {
	Plan
	Begun time.Time
}

// Begin starts a plan now.
func Begin(p Plan) *Drain { return &Drain{p, time.Now()} }

// Hint returns the retry hint for a client that is not in the plan.
func (d *Drain) Hint() Hint { return d.after(time.Since(d.Begun)) }

// after is the hint of the connection whose turn it is after elapsed, or of the last one.
func (d *Drain) after(elapsed time.Duration) Hint {
	if elapsed < d.Leave {
		return d.Plan.Hint(int(float64(d.conns) * float64(elapsed) / float64(d.Leave)))
	}
	hint := d.Plan.Hint(d.conns)
	if d.Leave == 0 {
		hint.Spread = max(d.Return-elapsed, MinSpread)
	} else {
		hint.After = max(0, d.Return-elapsed)
	}
	return hint
}
