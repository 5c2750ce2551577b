package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// do sends a command to the server of a key or channel, unless that server is known to be gone.
func (b *Broker) do(ctx context.Context, key string, cmd rueidis.Completed) (res rueidis.RedisResult, err error) {
	br := b.routes.breaker(key)
	if err := br.check(); err != nil {
		return res, err
	}
	res = b.client.Do(ctx, cmd)
	return res, b.judge(br, res.Error())
}

// exec is do for a script.
func (b *Broker) exec(ctx context.Context, key string, s *rueidis.Lua, keys, args []string) (res rueidis.RedisResult, err error) {
	br := b.routes.breaker(key)
	if err := br.check(); err != nil {
		return res, err
	}
	res = s.Exec(ctx, b.client, keys, args)
	return res, b.judge(br, res.Error())
}

// judge turns the error of a command into what the caller gets.
func (b *Broker) judge(br *breaker, err error) error {
	br.report(err)
	if err != nil && conditionOf(err) == denied && b.refusals.due(time.Now()) {
		b.log.Error("redis refuses a command to this user: add it to the ACL", "err", err)
	}
	return b.failed(err)
}

func (b *Broker) newBreaker(addr string) *breaker {
	br := &breaker{
		spawn: b.spawn,
		ping:  func(ctx context.Context) error { return b.ping(ctx, addr) },
		wait:  func(d time.Duration) bool { return sleep(b.ctx, d) },
	}
	br.tell = (&health{b: b, addr: addr, breaker: br}).told
	return br
}

// ping asks a server whether it may be written to, by writing a key that is gone at once: a replica answers PING, and so does a
// server without memory or disk. A server that has left the cluster need not be there.
func (b *Broker) ping(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, b.dialTimeout+b.ioTimeout)
	defer cancel()
	client := b.client
	if addr != "" {
		if t := b.routes.table.Load(); t != nil && t.servers[addr] == nil {
			return nil
		}
		if client = client.Nodes()[addr]; client == nil {
			return errUnknownServer
		}
	}
	err := client.Do(ctx, b.probeWrite(client, addr)).Error()
	switch conditionOf(err) {
	case replica:
		b.dials.cut(b.routes.dialed(addr)) // the next connection may be to the primary
	case elsewhere:
		return nil
	case sound:
		if _, answered := replyOf(err); answered {
			return nil // whatever it says, it is there
		}
	}
	return err
}

// probeWrite is a write that changes nothing for longer than a moment.
func (b *Broker) probeWrite(client rueidis.Client, addr string) rueidis.Completed {
	return client.B().Set().Key(b.routes.probe(addr)).Value("").PxMilliseconds(1).Build()
}

// checkUps looks from time to time whether the servers may be written to.
func (b *Broker) checkUps() {
	for sleep(b.ctx, jitter(max(b.ioTimeout/4, 1))) {
		for _, o := range b.routes.table.Load().servers {
			o.breaker.suspect()
		}
	}
}

// demoted takes in that a connection is to a server that is a replica now. No command is sent there until a primary is found,
// and all other connections find out what they are connected to.
func (b *Broker) demoted(addr string, err error) {
	b.routes.breakerAt(addr).trip(err)
	b.steer()
	if o := b.routes.table.Load().servers[addr]; o != nil {
		for _, l := range o.links {
			poke(l.doubt)
		}
		for _, l := range o.lanes {
			poke(l.doubt)
		}
	}
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var errUnknownServer = errors.New("the server is not known to the client yet")

// sleep tells whether ctx has not ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
