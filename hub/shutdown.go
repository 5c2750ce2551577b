package hub

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// Shutdown ends the hub in order. Ready turns false and handshakes are refused at once; then the connections
// are closed with 1012, spread evenly over the drain window or what ctx leaves of it, each with a hint when
// to come back; publishing goes on until the last has gone. When ctx ends first, what is left is cut.
// It returns when nothing is left running, or with an error that says what is.
func (h *Hub) Shutdown(ctx context.Context) error {
	if !h.life.advance(draining) {
		return ErrClosed
	}
	if h.bus != nil {
		h.bus.Announce(h.load())
	}
	h.log.Info("draining", "conns", h.conns.len(), "window", h.conf.drain)
	err := h.shed(ctx)
	if err == nil {
		err = h.life.wait(ctx)
	}
	if !h.life.advance(closed) {
		// Close came meanwhile and does the rest; its last act but one is to end h.ctx.
		select {
		case <-h.ctx.Done():
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
		return errors.Join(err, h.life.wait(ctx))
	}
	for _, c := range h.conns.all() {
		c.drop(h.restartNotice(0))
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
func (h *Hub) Close() error {
	if !h.life.advance(closed) {
		return ErrClosed
	}
	for _, c := range h.conns.all() {
		c.shut(h.restartNotice(0))
		c.drop(nil)
	}
	return h.release(context.Background())
}

// shed closes the connections one after another, at an even pace.
func (h *Hub) shed(ctx context.Context) error {
	conns := h.conns.all()
	window := h.conf.drain
	if deadline, ok := ctx.Deadline(); ok {
		// The last to go needs time to go in order.
		window = min(window, max(0, time.Until(deadline)-h.conf.closeTimeout-time.Second))
	}
	begun := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, c := range conns {
		due := window * time.Duration(i) / time.Duration(len(conns))
		if wait := due - time.Since(begun); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-h.ctx.Done():
				return nil // closed meanwhile
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		c.shut(h.restartNotice(window))
	}
	return nil
}

// restartNotice tells a client to come back, at some time in a window.
func (h *Hub) restartNotice(window time.Duration) *CloseError {
	return &CloseError{Code: protocol.CloseServiceRestart, Reason: "restart", Spread: max(window/10, time.Second)}
}
