package hub

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// defaultAdmitRate stands in where a node states no rate, in new connections a second. A hub makes many times as
	// many; what its authenticator asks may not.
	defaultAdmitRate = 1000
	// leastSpread keeps even few clients from coming back at one moment.
	leastSpread = time.Second
	// nodesTimeout bounds the question who else is there. Without an answer a guess has to do.
	nodesTimeout = time.Second
	// silentAfter is when a node that tells nothing of its load is taken for gone.
	silentAfter = 3 * reportEvery
)

// remaining are the nodes that take over this one's connections.
type remaining struct {
	rate   float64 // new connections a second that they admit together
	stated bool    // by all of them; else rate is in part a guess
	room   int     // connections that they still take; negative where one has no bound
}

// remaining asks the broker. A node that is alone, or cannot ask, answers for its successor.
func (h *Hub) remaining(ctx context.Context) remaining {
	alone := remaining{rate: h.admitRate(), room: -1}
	if h.bus == nil || h.stats.stale.Load() {
		return alone
	}
	ctx, cancel := context.WithTimeout(ctx, nodesTimeout)
	defer cancel()
	nodes, err := h.bus.Nodes(ctx)
	if err != nil {
		h.log.Warn("other nodes not known", "err", err)
		return alone
	}
	others, found := remaining{stated: true}, false
	for _, n := range nodes {
		if n.ID == h.node || n.Draining || time.Since(n.Seen) > silentAfter {
			continue
		}
		found = true
		if n.AdmitRate > 0 {
			others.rate += n.AdmitRate
		} else {
			others.rate += defaultAdmitRate
			others.stated = false
		}
		if n.Capacity == 0 {
			others.room = -1
		} else if others.room >= 0 {
			others.room += max(0, n.Capacity-n.Conns)
		}
	}
	if !found {
		return alone
	}
	return others
}

func (h *Hub) admitRate() float64 {
	if r := h.conf.admission.Rate; r > 0 {
		return r
	}
	return defaultAdmitRate
}

// exodus is how n connections leave this node and come back elsewhere: of each, in their order, both are told by its
// place in the row.
type exodus struct {
	n int
	// leave is over how long they leave, and back over how long they come back, both from the beginning. What others
	// cannot admit as fast as it leaves comes back later.
	leave, back time.Duration
}

// exodus plans for a window. The pace is what the remaining nodes can admit, where they all say so and have room for
// all; else the window is used to the full. A tenth of it passes in any case: until a balancer has seen
// that this node is not ready, it sends back here those who come back.
func (to remaining) exodus(n int, window time.Duration) exodus {
	e := exodus{n: n, leave: window, back: admission.Spread(n, to.rate)}
	if to.stated && (to.room < 0 || n <= to.room) {
		e.leave = min(window, max(e.back, window/10))
	}
	e.back = max(e.back, e.leave)
	return e
}

// part is what has passed of d when it is the turn of the i-th.
func (e exodus) part(d time.Duration, i int) time.Duration {
	if e.n == 0 {
		return 0
	}
	return time.Duration(float64(d) * float64(i) / float64(e.n))
}

// due is when the i-th leaves.
func (e exodus) due(i int) time.Duration { return e.part(e.leave, i) }

// notice tells the i-th when to come back. Those who leave at one moment come back at any time of the window; else
// the order in which they leave is the order in which they come, blurred so that no two need agree on the time.
func (e exodus) notice(i int) *CloseError {
	why := &CloseError{Code: protocol.CloseServiceRestart, Reason: "restart", Spread: max(e.back, leastSpread)}
	if e.leave > 0 {
		why.RetryAfter = e.part(e.back-e.leave, i)
		why.Spread = max(e.back/10, leastSpread)
	}
	return why
}

// departure is an exodus under way.
type departure struct {
	exodus
	begun time.Time
}

// notice tells somebody who is not of the row, after so long, what it tells the one whose turn it is, or whose it was
// last.
func (d *departure) notice(elapsed time.Duration) *CloseError {
	if elapsed < d.leave {
		return d.exodus.notice(int(float64(d.n) * float64(elapsed) / float64(d.leave)))
	}
	why := d.exodus.notice(d.n)
	if d.leave == 0 {
		why.Spread = max(d.back-elapsed, leastSpread)
	} else {
		why.RetryAfter = max(0, d.back-elapsed)
	}
	return why
}

// latecomer tells somebody who comes while the hub goes.
func (h *Hub) latecomer() *CloseError {
	if d := h.leaving.Load(); d != nil {
		return d.notice(time.Since(d.begun))
	}
	return straggler() // the others were not asked yet
}

// tooLate refuses a handshake that comes while the hub goes. HTTP has one number, so that the spread is drawn here.
func (h *Hub) tooLate() *HTTPError {
	why := h.latecomer()
	return &HTTPError{
		Status: http.StatusServiceUnavailable, Message: "shutting down",
		RetryAfter: why.RetryAfter + rand.N(why.Spread) + 1,
	}
}

// straggler tells a connection that is not of the row.
func straggler() *CloseError { return exodus{}.notice(0) }

// unavailableSpread is over how long those come back, at the least, who were turned away for want of the broker.
const unavailableSpread = 5 * time.Second

// unavailable turns a client away for want of the broker. That may happen to all of this node's, which stays to admit
// them.
func (h *Hub) unavailable(err error) *CloseError {
	return &CloseError{
		Code: protocol.CloseTryAgainLater, Reason: "unavailable",
		Spread: max(unavailableSpread, admission.Spread(h.conns.len(), h.admitRate())), Err: err,
	}
}
