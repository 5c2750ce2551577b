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
	return b.failed(err)
}

func (b *Broker) newBreaker(addr string) *breaker {
	return &breaker{
		spawn: b.spawn,
		ping:  func(ctx context.Context) error { return b.ping(ctx, addr) },
		wait:  func(d time.Duration) bool { return sleep(b.ctx, d) },
	}
}

// ping asks a server whether it is there. A server that has left the cluster need not be.
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
	err := client.Do(ctx, client.B().Ping().Build()).Error()
	if e, answered := rueidis.IsRedisErr(err); answered && !e.IsLoading() {
		return nil // whatever it says, it is there
	}
	return err
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
