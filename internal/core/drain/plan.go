package drain

import (
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
)

// MinSpread keeps even few clients from coming back at one moment.
const MinSpread = time.Second

// Hint tells a client when to come back: after After and a random part of Spread.
type Hint struct{ After, Spread time.Duration }

// Plan is how a number of connections leave a node one after another, and come back elsewhere in the same order.
type Plan struct {
	conns int
	// Leave is the time over which they leave, and Return that over which they come back. Both count from the beginning.
	// Connections that the successors cannot admit as fast as they leave come back later.
	Leave, Return time.Duration
}

// Plan plans for a number of connections and a window. The pace is what the successors admit, if they all state it and
// have the capacity; otherwise the window is used to the full. At least a tenth of it passes in any case: until a balancer
// has seen that this node is not ready, it sends the returning clients back here.
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

// Due is when connection i leaves, counted from the beginning.
func (p Plan) Due(i int) time.Duration { return p.share(p.Leave, i) }

// Hint tells connection i when to come back. Connections that leave together come back at any time of the window. Otherwise
// they come back in the order in which they leave, blurred so that no two need agree on the time.
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

// Begin begins a plan now.
func Begin(p Plan) *Drain { return &Drain{p, time.Now()} }

// Hint tells a client that is not in the plan when to come back.
func (d *Drain) Hint() Hint { return d.after(time.Since(d.Begun)) }

// after is what the connection is told whose turn it is after so long, or whose turn was the last.
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
