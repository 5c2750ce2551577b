package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/resp"
)

var (
	errSilent  = errors.New("the server does not answer")
	errDesync  = errors.New("an answer to nothing that was asked")
	errReplica = errors.New("the server is not the master")
	errLeft    = errors.New("the server is not in charge any more")
)

// connect makes a connection of this package's own to a server, as routes.locate finds it.
func (b *Broker) connect(ctx context.Context, addr string) (*resp.Conn, error) {
	addr, err := b.routes.locate(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn, err := resp.Dial(ctx, addr, &resp.Options{
		Dialer: b.dialer(), TLS: b.tls, User: b.user, Password: b.password,
		ClientName: b.clientName, Database: b.database, Timeout: b.dialTimeout, WriteTimeout: b.ioTimeout,
		Buffer: bufferSize,
	})
	if err != nil {
		return nil, err
	}
	if b.master != "" && conn.Role() != "master" {
		_ = conn.Close() // the Sentinels will say who is
		return nil, errReplica
	}
	return conn, nil
}

// watch asks a server that is silent for a sign of life, and returns when it gives none, or when ctx ends. taken
// counts what was read from it; ping does not block.
func watch(ctx context.Context, timeout time.Duration, taken *atomic.Uint64, ping func() error) error {
	tick := time.NewTicker(max(timeout/8, 1))
	defer tick.Stop()
	var seen uint64
	var asked time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			switch taken := taken.Load(); {
			case taken != seen:
				seen, asked = taken, time.Time{}
			case asked.IsZero():
				asked = now
				if err := ping(); err != nil {
					return err
				}
			case now.Sub(asked) >= timeout:
				return errSilent
			}
		}
	}
}
