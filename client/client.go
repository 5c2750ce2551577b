package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/protocol"
)

// Client is one connection to a hub. After a loss it connects again. Several goroutines may call its methods, before Run
// and while it runs.
type Client struct {
	config *config
	queue  *queue
	inbox  chan event
	over   chan struct{} // closed when the client is closed and nothing of it runs
	failed error         // why Run ended by itself; set before over is closed

	counters counters

	mu      sync.Mutex // held for moments only, and taken before the queue's, never after it
	subs    map[string]*Subscription
	given   map[string]*Subscription // rooms that the server has put the client into
	nextSub uint64
	leaving map[string]int // leaves without an answer, per room
	live    *connection    // nil while there is none
	grants  grants
	cancel  context.CancelCauseFunc
	running bool
	closed  bool

	// Of Run's goroutine.
	session string
	ticket  string          // of the last welcome, for the next handshake
	limits  protocol.Limits // of the last welcome
	bare    bool            // the next hello names no rooms, for one that did was too large
	smaller bool            // what was too large for the server has been taken out
	refused bool            // the last try was answered with 401
	loop    loop
}

// New returns a client of the hub at address, a ws or wss URL. It does not connect; Run does. The error joins all faults
// and matches ErrInvalid.
func New(address string, opts ...Option) (*Client, error) {
	config, err := newConfig(address, opts)
	if err != nil {
		return nil, err
	}
	c := &Client{
		config:  config,
		queue:   newQueue(config.queueLen, config.queueBytes, config.retryWindow),
		inbox:   make(chan event, config.inbox),
		over:    make(chan struct{}),
		subs:    make(map[string]*Subscription),
		given:   make(map[string]*Subscription),
		leaving: make(map[string]int),
	}
	c.counters.became(Disconnected)
	return c, nil
}

// Run connects, and reconnects whenever the connection is lost. It blocks until one of these happens:
//
//   - ctx is done: the error matches ctx.Err() and context.Cause(ctx);
//   - Close is called: ErrClosed;
//   - the server closes with a code that forbids a reconnect: a [*CloseError]. After 1009 the client fails the
//     request that was too large, if there was one, and reconnects;
//   - the server refuses the handshake with 401 or 403: a [*HandshakeError]. With a token function, a 401 gets one
//     more attempt with a new token;
//   - the token function returns an error that backoff.IsPermanent finds.
//
// Run never returns nil. When it returns, all goroutines of the client have ended, and no callback follows.
// Pending requests and all later ones fail with ErrClosed. If ctx is done or Close was called, undelivered events are
// dropped. Otherwise they are delivered before Run returns. Run can be called once; a second call returns ErrRunning.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := c.start(cancel); err != nil {
		return err
	}
	dispatched := make(chan struct{})
	go func() {
		defer close(dispatched)
		c.dispatch(ctx)
	}()
	err := c.connectAll(ctx)
	c.end(err)
	c.post(ctx, event{last: true})
	<-dispatched
	c.config.log.Info("hubkit client closed", "error", err)
	c.counters.became(Closed)
	if c.config.onState != nil {
		c.config.onState(State{Status: Closed, Err: err})
	}
	if ctx.Err() == nil {
		c.failed = err
	}
	close(c.over)
	return err
}

func (c *Client) start(cancel context.CancelCauseFunc) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.running:
		return ErrRunning
	case c.closed:
		return ErrClosed
	}
	c.running, c.cancel = true, cancel
	return nil
}

// end fails what waits, and what is yet to come.
func (c *Client) end(why error) {
	if !errors.Is(why, ErrClosed) {
		why = fmt.Errorf("%w: %w", ErrClosed, why)
	}
	c.mu.Lock()
	c.closed = true
	c.queue.close(why)
	for _, s := range c.subs {
		s.resolve(why)
	}
	c.mu.Unlock()
}

// Close ends Run and blocks until all goroutines of the client have ended. It waits for a callback that is under way. So
// a callback must not call Close; it may cancel Run's context instead. Close sends the server a close frame, which takes
// at most 1 s. A second call does nothing.
//
// The error is nil if Close or the end of the context has ended Run. If Run ended for another reason, Close returns Run's
// error.
func (c *Client) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	running := c.running
	if running {
		c.cancel(ErrClosed)
	}
	c.mu.Unlock()
	if !running && first {
		c.end(ErrClosed)
		c.counters.became(Closed)
		close(c.over)
	}
	<-c.over
	return c.failed
}

// connectAll makes one connection after the other and returns why there will be no more.
func (c *Client) connectAll(ctx context.Context) error {
	seq := c.config.policy.Start()
	for {
		err := c.connectOnce(ctx, seq)
		switch {
		case ctx.Err() != nil:
			return ended(ctx)
		case c.final(err):
			return err
		}
		if after, spread, ok := hint(err); ok {
			seq.Hint(after, spread)
		}
		wait := seq.Next()
		if least := c.loop.least(); least > 0 {
			wait, err = max(wait, least), &LoopError{Times: c.loop.times, Err: err}
			c.config.log.Warn("hubkit client is in a loop", "error", err, "wait", wait)
		}
		c.config.log.Info("hubkit client disconnected", "error", err, "wait", wait)
		c.state(ctx, State{Status: Disconnected, Err: err, Wait: wait})
		if !sleep(ctx, wait) {
			return ended(ctx)
		}
	}
}

// connectOnce returns when the try has failed or the connection is lost, never nil.
func (c *Client) connectOnce(ctx context.Context, seq *backoff.Sequence) error {
	c.state(ctx, State{Status: Connecting})
	l, err := c.connect(ctx)
	if err != nil {
		c.counters.failures.Add(1)
		return err
	}
	seq.Connected()
	defer seq.Disconnected()
	return l.run(ctx)
}

// final reports whether there is no coming back from err.
func (c *Client) final(err error) bool {
	again, smaller := c.refused, c.smaller
	c.refused, c.smaller = false, false
	if e, ok := errors.AsType[*CloseError](err); ok {
		return !e.Code.Reconnect() && !smaller
	}
	if e, ok := errors.AsType[*HandshakeError](err); ok {
		switch e.StatusCode {
		case http.StatusUnauthorized:
			c.refused = true
			return again || c.config.token == nil
		case http.StatusForbidden:
			return true
		}
	}
	return backoff.IsPermanent(err)
}

// ended tells why ctx is done.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) || errors.Is(cause, ErrClosed) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// sorted returns the subscriptions in the order in which they were made.
func (c *Client) sorted() []*Subscription { return bySeq(c.subs) }

func bySeq(m map[string]*Subscription) []*Subscription {
	return slices.SortedFunc(maps.Values(m), func(a, b *Subscription) int { return cmp.Compare(a.seq, b.seq) })
}
