package wsload

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Client holds the connections. Its methods are called from one goroutine.
type Client struct {
	opt    Options
	loops  []*loop
	wg     sync.WaitGroup
	budget atomic.Int64
}

// Counts is how far a Client has come.
type Counts struct {
	// Ready connections have finished the handshake and the greeting, ever.
	Ready int64
	// Failed connections never became ready; Fault is the first reason.
	Failed int64
	Fault  error
	// Closed connections were ready and are no more.
	Closed int64
	// Messages is the number of payloads received.
	Messages int64
	// Pings of the WebSocket kind, each of them answered.
	Pings int64
}

// New starts the loops; they make no connection yet.
func New(opt Options) (*Client, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	addr, err := net.ResolveTCPAddr("tcp", opt.Addr)
	if err != nil {
		return nil, err
	}
	to := addr.AddrPort()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if opt.Local == nil {
		opt.Local = func(i int) netip.Addr { return loopback(to.Addr(), i%opt.Sources) }
	}
	c := &Client{opt: opt}
	for range opt.Loops {
		l, err := newLoop(&c.opt, to, &c.budget)
		if err != nil {
			c.Close()
			return nil, err
		}
		c.loops = append(c.loops, l)
		c.wg.Go(l.run)
	}
	return c, nil
}

// Open makes all the connections and returns how long it took until the last was ready or, with
// Churn, closed. It blocks until then; it fails when ctx ends first or when a connection fails.
func (c *Client) Open(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	for i, l := range c.loops {
		l.do(func() { l.next = i })
	}
	for {
		n := c.Counts()
		done := n.Ready
		if c.opt.Churn {
			done = n.Closed
		}
		if done+n.Failed >= int64(c.opt.Conns) {
			if n.Failed > 0 {
				return 0, fmt.Errorf("wsload: %d of %d connections failed, the first: %w", n.Failed, c.opt.Conns, n.Fault)
			}
			break
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wsload: %d of %d connections ready: %w", n.Ready, c.opt.Conns, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	if c.opt.Churn {
		return time.Since(start), nil
	}
	var last int64
	for _, l := range c.loops {
		last = max(last, l.lastReady.Load())
	}
	return time.Unix(0, last).Sub(start.Round(0)), nil
}

// Counts adds up the loops.
func (c *Client) Counts() Counts {
	var n Counts
	for _, l := range c.loops {
		n.Ready += l.ready.Load()
		n.Failed += l.failed.Load()
		n.Closed += l.closed.Load()
		n.Messages += l.messages.Load()
		n.Pings += l.pings.Load()
		if p := l.fault.Load(); p != nil && n.Fault == nil {
			n.Fault = *p
		}
	}
	return n
}

// StartEchoes lets every connection send a payload and, for each that comes back, the next, until
// limit have been sent in all. It does not wait for them.
func (c *Client) StartEchoes(limit int64) {
	c.budget.Store(limit)
	for _, l := range c.loops {
		l.do(l.startEchoes)
	}
}

// Recorded calls fn with the recorder of each loop, which records nothing meanwhile.
func (c *Client) Recorded(fn func(Recorder)) {
	for _, l := range c.loops {
		done := make(chan struct{})
		l.do(func() {
			fn(l.recorder)
			close(done)
		})
		<-done
	}
}

// Close resets every connection and returns when the loops have ended.
func (c *Client) Close() {
	for _, l := range c.loops {
		l.do(func() { l.quit = true })
	}
	c.wg.Wait()
}
