package hub

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/internal/core/drain"
)

// Shutdown ends the hub in order. At once Ready turns false, the hub refuses handshakes, and the other nodes are told.
// Then the hub closes the connections with 1012 one after another, at the pace at which the remaining nodes admit new
// ones. If these nodes have no WithAdmission, the hub spreads the closes over the drain window. If ctx ends earlier, it
// spreads them over the time until then. Each close frame has a retry hint, so even a short window does not overrun the
// remaining nodes. The hub closes a connection with calls under way, heavy or not, after their answers. Publishing works
// until the last connection has gone.
//
// Shutdown blocks until nothing is left running. If ctx ends first, Shutdown cuts the remaining connections and returns an
// error that names what is left. The error matches ErrClosed if the hub is already closed or draining.
//
// A callback that calls Shutdown would wait for itself. Shutdown then returns ErrCallback at once, and does its work in
// a goroutine of its own, within the deadline of ctx.
func (h *Hub) Shutdown(ctx context.Context) error {
	if !h.life.Drain() {
		return ErrClosed
	}
	if !inCallback() {
		return h.drain(ctx)
	}
	cancel := func() {}
	deadline, bounded := ctx.Deadline()
	ctx = context.WithoutCancel(ctx) // it probably ends with the callback
	if bounded {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	go func() {
		defer cancel()
		h.logEnd(h.drain(ctx))
	}()
	return ErrCallback
}

// logEnd logs the error of a Close or Shutdown that a callback called.
func (h *Hub) logEnd(err error) {
	if err != nil {
		h.log.Error("closing the hub from a callback failed", "err", err)
	}
}

// drain is Shutdown once it has begun.
func (h *Hub) drain(ctx context.Context) error {
	h.nodes.Announce()
	err := h.shed(ctx)
	if err == nil {
		err = h.life.Wait(ctx)
	}
	if !h.life.Close() {
		// Close was called meanwhile and does the rest. Its last step but one is to end h.ctx.
		select {
		case <-h.ctx.Done():
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
		return errors.Join(err, h.life.Wait(ctx))
	}
	h.posting.cut()
	for _, c := range h.conns.All() {
		c.abort(restartNow())
	}
	if err != nil {
		// The time is up. Connections that can end at once get a moment.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cutTimeout)
		defer cancel()
	}
	return errors.Join(err, h.release(ctx))
}

// cutTimeout is how long connections that are cut have to end.
const cutTimeout = 2 * time.Second

// Done returns a channel that is closed when the hub has ended: after Close, or at the end of Shutdown. Use it to stop
// code that depends on the hub.
func (h *Hub) Done() <-chan struct{} { return h.ctx.Done() }

// Close ends the hub at once. It cuts every connection, after a close frame if the socket takes one. It blocks until
// nothing is left running, handlers included. To bound the wait, use Shutdown. The error matches ErrClosed if the hub
// is already closed.
//
// A callback that calls Close would wait for itself. Close then returns ErrCallback as soon as every connection is
// closing, and the rest ends after the callback. A goroutine that the callback starts and waits for is not recognized.
func (h *Hub) Close() error {
	if !h.life.Close() {
		return ErrClosed
	}
	conns := h.conns.All()
	together := h.successors(context.Background()).Plan(len(conns), 0)
	h.draining.Store(drain.Begin(together))
	for _, c := range conns {
		c.closeNow(restart(together.Hint(0)))
	}
	h.posting.cut()
	if inCallback() {
		go func() { h.logEnd(h.release(context.Background())) }()
		return ErrCallback
	}
	return h.release(context.Background())
}

// shed closes the connections one after another, at an even pace. A connection that is busy closes itself.
func (h *Hub) shed(ctx context.Context) error {
	conns := h.conns.All()
	window := h.conf.drain
	if deadline, ok := ctx.Deadline(); ok {
		// The last connection needs time to close in order.
		window = min(window, max(0, time.Until(deadline)-h.conf.closeTimeout-time.Second))
	}
	plan := h.successors(ctx).Plan(len(conns), window)
	h.draining.Store(drain.Begin(plan))
	h.log.Info("draining", "conns", len(conns), "over", plan.Leave, "back_within", plan.Return)
	begun := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, c := range conns {
		if wait := plan.Due(i) - time.Since(begun); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-h.ctx.Done():
				return nil // closed meanwhile
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		c.closeAfterAnswers(restart(plan.Hint(i)))
	}
	return nil
}
