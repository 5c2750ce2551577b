package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/resp"
)

// errNotDone says that a command was not executed, for certain: it may be sent again, another way.
var errNotDone = errors.New("not executed")

// lane keeps one connection to one server for what is published. It promises nothing: what it cannot take, or the
// server has not executed, the caller publishes by rueidis.
type lane struct {
	b     *Broker
	addr  string // empty where the client knows the only server
	ctx   context.Context
	stop  context.CancelFunc
	ended chan struct{}

	doubt   chan struct{} // asks the session what its server is
	loop    *loop
	current atomic.Pointer[pipeline]
}

func (b *Broker) newLane(addr string) *lane {
	ctx, stop := context.WithCancel(b.ctx)
	return &lane{b: b, addr: addr, ctx: ctx, stop: stop, ended: make(chan struct{}),
		doubt: make(chan struct{}, 1), loop: b.newLoop("publish", addr)}
}

// start makes the lane work until stop, or until the broker's context ends.
func (l *lane) start() {
	go func() {
		defer close(l.ended)
		l.run()
	}()
}

func (l *lane) run() {
	for {
		err := l.session()
		if l.ctx.Err() != nil {
			return
		}
		l.b.stats.publishReconnects.Add(1)
		l.b.routes.breakerAt(l.addr).suspect() // rueidis has connections of its own
		l.b.steer()
		if !l.loop.again(l.ctx, err) {
			return
		}
	}
}

// session makes a connection and returns when it is lost or the lane is stopped.
func (l *lane) session() error {
	conn, err := l.b.connect(l.ctx, l.addr)
	if err != nil {
		return err
	}
	p := newPipeline(l.b, l.addr, conn)
	watched, cancel := context.WithCancel(l.b.ctx)
	var tasks sync.WaitGroup
	lost := make(chan error, 2)
	tasks.Go(func() { lost <- p.run() })
	tasks.Go(func() { lost <- watch(watched, l.b.ioTimeout, &p.taken, l.doubt, p.ask) })
	l.b.routes.breakerAt(l.addr).retry(l.ctx) // commands that are not the lane's may go there as well
	l.current.Store(p)
	l.loop.tries.Connected()
	l.loop.back()
	since := time.Now()
	select {
	case err = <-lost:
	case <-l.ctx.Done():
		if err = errLeft; !p.leave() { // a server that has left the cluster answers what it was asked
			err = <-lost
		}
	}
	l.current.Store(nil)
	cancel()
	_ = p.fail(err)
	_ = conn.Close()
	tasks.Wait()
	if time.Since(since) > l.b.ioTimeout/4 {
		l.loop.progress()
	}
	return err
}

// publish has a publication executed and waits for the answer, no longer than ctx. The error is errNotDone, one of the
// server, ctx's, or that of a connection that broke before the answer came.
func (l *lane) publish(ctx context.Context, room string, pub *broker.Publication) (broker.Result, error) {
	if l == nil {
		return broker.Result{}, errNotDone
	}
	p := l.current.Load()
	if p == nil {
		return broker.Result{}, errNotDone
	}
	c, _ := calls.Get().(*call)
	if err := p.enter(ctx, c, room, pub); err != nil {
		calls.Put(c)
		return broker.Result{}, err
	}
	if done := ctx.Done(); done == nil {
		<-c.done
	} else {
		select {
		case <-c.done:
		case <-done:
			return broker.Result{}, ctx.Err() // the call is the pipeline's, and nobody's after that
		}
	}
	res, err := c.res, c.err
	*c = call{done: c.done}
	calls.Put(c)
	return res, err
}

// call is a command under way.
type call struct {
	done   chan struct{} // takes one signal: res and err are there
	script bool          // the answer is that of the script
	hello  bool          // the answer is the server's role
	size   int           // of the command, in bytes
	res    broker.Result
	err    error
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// take takes in the answer, and tells whether the server is a replica now.
func (c *call) take(b *Broker, epoch string, v *resp.Value) (replica bool) {
	if v.Kind == resp.Fail {
		return c.refused(b, resp.Error(v.Text))
	}
	if !c.script {
		if !c.hello {
			return false
		}
		role, _ := v.Get("role")
		return isReplica(role.Text)
	}
	if v.Kind != resp.Array || len(v.Elems) != 3 || v.Elems[1].Kind != resp.Int {
		c.err = errAnswer
		return false
	}
	if text := v.Elems[0].Text; string(text) != epoch {
		epoch = string(text)
	}
	c.res = broker.Result{
		Position:  broker.Position{Epoch: epoch, Offset: uint64(v.Elems[1].Int)},
		Duplicate: v.Elems[2].Int == 1,
	}
	return false
}

// refused takes in an error. Those by which the server says that it has not executed the command are rueidis's to
// deal with: it follows a slot to where it is now, and sends a script that is not known.
func (c *call) refused(b *Broker, err resp.Error) (isReplica bool) {
	c.err = err
	switch at := conditionOf(err); at {
	case elsewhere, starting:
		b.steer()
	case replica:
		isReplica = true
	default:
		if err.Code() != "NOSCRIPT" {
			return false
		}
	}
	c.err = errors.Join(errNotDone, err)
	return isReplica
}
