package hub

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/internal/core/drain"
)

// Shutdown ends the hub in order. Ready turns false, handshakes are refused and other nodes are told at once. Then the
// connections are closed with 1012 one after another, at the pace at which the nodes that remain admit
// new ones, and over the drain window, or what ctx leaves of it, where they do not say: see WithAdmission. Each
// has a hint when to come back, so that those nodes are not stormed however short the window is. A connection
// with calls under way, heavy or not, is closed after their answers. Publishing goes on until the last has gone. When ctx
// ends first, what is left is cut. It returns when nothing is left running, or with an error that says what is.
//
// A callback that calls Shutdown would wait for itself. Shutdown then does its work in a goroutine of its own, within the
// deadline of ctx, and returns ErrCallback at once.
func (h *Hub) Shutdown(ctx context.Context) error {
	if !h.life.Drain() {
		return ErrClosed
	}
	if !inCallback() {
		return h.drain(ctx)
	}
	cancel := func() {}
	deadline, bounded := ctx.Deadline()
	ctx = context.WithoutCancel(ctx) // it ends with the callback, as likely as not
	if bounded {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	go func() {
		defer cancel()
		h.logEnd(h.drain(ctx))
	}()
	return ErrCallback
}

// logEnd is for an end whose error nobody waits for.
func (h *Hub) logEnd(err error) {
	if err != nil {
		h.log.Error("the end that a callback asked for was not in order", "err", err)
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
		// Close came meanwhile and does the rest; its last act but one is to end h.ctx.
		select {
		case <-h.ctx.Done():
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
		return errors.Join(err, h.life.Wait(ctx))
	}
	for _, c := range h.conns.All() {
		c.abort(restartNow())
	}
	if err != nil {
		// The time is up: what remains is a moment for those who can end at once.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cutTimeout)
		defer cancel()
	}
	return errors.Join(err, h.release(ctx))
}

// cutTimeout is what connections that are cut have to end.
const cutTimeout = 2 * time.Second

// Close ends the hub at once: every connection is cut, after a close frame if its socket takes one. It
// returns when nothing is left running, handlers included; to bound the wait for those use Shutdown.
//
// A callback that calls Close would wait for itself. Close then returns ErrCallback as soon as every connection is closing, and
// the rest ends after the callback. A goroutine that the callback starts and waits for is not recognized.
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
	if inCallback() {
		go func() { h.logEnd(h.release(context.Background())) }()
		return ErrCallback
	}
	return h.release(context.Background())
}

// shed closes the connections one after another, at an even pace. Those that are busy close themselves.
func (h *Hub) shed(ctx context.Context) error {
	conns := h.conns.All()
	window := h.conf.drain
	if deadline, ok := ctx.Deadline(); ok {
		// The last to go needs time to go in order.
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
