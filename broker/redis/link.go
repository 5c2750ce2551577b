package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var errDeaf = errors.New("the connection does not deliver published messages")

// link keeps one connection to one server subscribed: it comes back when that is lost, subscribes to all
// its rooms again, and has them caught up.
type link struct {
	b     *Broker
	addr  string // empty where the client knows the only server
	ctx   context.Context
	stop  context.CancelFunc
	ended chan struct{}
	first chan error    // what became of the first session: nil when it has caught up
	doubt chan struct{} // asks the session what its server is
	loop  *loop
	whole atomic.Bool // connected, and caught up

	mu      sync.Mutex
	current *session
}

func (b *Broker) newLink(addr string) *link {
	ctx, stop := context.WithCancel(b.ctx)
	return &link{b: b, addr: addr, ctx: ctx, stop: stop, ended: make(chan struct{}), first: make(chan error, 1),
		doubt: make(chan struct{}, 1), loop: b.newLoop("subscribe", addr)}
}

// start makes the link work until stop, or until the broker's context ends.
func (l *link) start() {
	go func() {
		defer close(l.ended)
		l.run(l.ctx)
	}()
}

func (l *link) run(ctx context.Context) {
	for again := false; ; again = true {
		err := l.session(ctx, again)
		if ctx.Err() != nil {
			return
		}
		l.report(err)
		l.b.state.lost(l)
		l.b.stats.reconnects.Add(1)
		l.b.routes.breakerAt(l.addr).suspect() // commands have connections of their own
		l.b.steer()
		if !l.loop.again(ctx, err) {
			return
		}
	}
}

// report tells Start how the first session began.
func (l *link) report(err error) {
	select {
	case l.first <- err:
	default:
	}
}

// up returns the session that can be used, nil while there is none.
func (l *link) up() *session {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

func (l *link) set(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = s
}

// session makes a connection, has it catch up, and returns when it is lost or ctx ends.
func (l *link) session(ctx context.Context, again bool) error {
	s, err := l.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	lost := make(chan error, 2)
	tasks.Go(func() { lost <- s.run() })
	ask := func() error { return s.send(newRequest(verbHello, nil)) }
	tasks.Go(func() { lost <- watch(ctx, l.b.ioTimeout, &s.taken, l.doubt, ask) })
	defer func() {
		cancel()
		l.whole.Store(false)
		l.set(nil)
		_ = s.conn.Close()
		tasks.Wait()
	}()
	probe := l.b.routes.probe(l.addr)
	if err := s.listen(ctx, probe); err != nil {
		return err
	}
	l.set(s)
	l.loop.tries.Connected()
	caughtUp := make(chan error, 1)
	tasks.Go(func() { caughtUp <- s.resubscribe(ctx) })
	tick := time.NewTicker(l.b.ioTimeout)
	defer tick.Stop()
	var heard uint64
	var echo *atomic.Bool // set when the probe was published
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-lost:
			return err
		case err := <-caughtUp:
			if err != nil {
				return err
			}
			l.whole.Store(true)
			l.b.state.recovered(l)
			l.loop.back()
			l.loop.progress()
			l.report(nil)
			if again { // the server may have lost what this node announced
				l.b.presence.hurry(func(room string) bool { return l.b.routes.addr(l.b.names.room(room)) == l.addr })
				l.b.announceSoon()
			}
		case <-tick.C:
			now := s.heard.Load()
			switch {
			case now != heard:
				heard, echo = now, nil
			case echo != nil && echo.Load():
				return errDeaf
			default:
				sent := new(atomic.Bool)
				echo = sent
				tasks.Go(func() { sent.Store(l.b.probe(ctx, probe) == nil) })
			}
		}
	}
}

// probe publishes to a channel that only this node listens to.
func (b *Broker) probe(ctx context.Context, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	return b.client.Do(ctx, b.client.B().Arbitrary(b.verbs.publish).Keys(b.names.onWire(channel)).Args("").Build()).Error()
}

// resubscribe subscribes to all rooms of the link and returns when they are caught up.
func (s *session) resubscribe(ctx context.Context) error {
	rooms := s.link.b.rooms.of(s.link)
	_, refused, err := s.subscribe(ctx, rooms)
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		rooms = slices.DeleteFunc(rooms, func(r *room) bool { return r.refused.Load() })
	}
	wait := newCountdown()
	_ = s.link.b.prime(ctx, rooms, wait) // what failed is tried again, and waited for
	wait.one()
	select {
	case <-wait.done:
		s.link.b.routes.breakerAt(s.link.addr).retry(ctx) // who is told Live may publish
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
