package hub

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/internal/core/drain"
	"github.com/gohubkit/hubkit/protocol"
)

// silentAfter is how long a node may report no load before it counts as gone.
const silentAfter = 3 * reportEvery

// successors are the nodes that take over this one's connections. A node that is alone, or cannot ask, counts as its
// own successor.
func (h *Hub) successors(ctx context.Context) drain.Successors {
	if h.stats.stale.Load() {
		return drain.Alone(h.admitRate())
	}
	to, err := drain.Ask(ctx, h.nodes, h.node, h.admitRate(), silentAfter)
	if err != nil {
		h.log.Warn("listing the other nodes failed: the drain plan assumes none", "err", err)
	}
	return to
}

func (h *Hub) admitRate() float64 {
	if r := h.conf.admission.Rate; r > 0 {
		return r
	}
	return drain.DefaultRate
}

// restart is how a connection is closed when its node shuts down.
func restart(hint drain.Hint) *CloseError {
	return &CloseError{Code: protocol.CloseServiceRestart, Reason: "restart", RetryAfter: hint.After, Spread: hint.Spread}
}

// restartNow closes a connection that no plan covers: it came too late, or the time for the plan is over.
func restartNow() *CloseError { return restart(drain.Plan{}.Hint(0)) }

// restartMeanwhile closes a connection that comes while the hub drains.
func (h *Hub) restartMeanwhile() *CloseError {
	if d := h.draining.Load(); d != nil {
		return restart(d.Hint())
	}
	return restartNow() // the others were not asked yet
}

// refusedMeanwhile refuses a handshake that comes while the hub drains. HTTP has one number, so the spread is drawn here.
func (h *Hub) refusedMeanwhile() *HTTPError {
	why := h.restartMeanwhile()
	return &HTTPError{
		Status: http.StatusServiceUnavailable, Message: "shutting down",
		RetryAfter: why.RetryAfter + rand.N(why.Spread) + 1,
	}
}

// unavailableSpread is the shortest time over which clients reconnect that were turned away because the broker is lost.
const unavailableSpread = 5 * time.Second

// unavailable turns a client away because the broker is lost. All of this node's clients may be turned away so, and the
// node must admit them again.
func (h *Hub) unavailable(err error) *CloseError {
	return &CloseError{
		Code: protocol.CloseTryAgainLater, Reason: "unavailable",
		Spread: max(unavailableSpread, admission.Spread(h.conns.Len(), h.admitRate())), Err: err,
	}
}
