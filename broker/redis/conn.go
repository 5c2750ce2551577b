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
	errDesync  = errors.New("the server sent an answer that nothing had asked for")
	errReplica = errors.New("the server is a replica, and takes no writes")
	errLeft    = errors.New("the server is not responsible any more")
)

// connect makes a connection of this package's own to a server, as routes.locate finds it.
func (b *Broker) connect(ctx context.Context, addr string) (*resp.Conn, error) {
	addr, err := b.routes.locate(ctx, addr)
	if err != nil {
		return nil, err
	}
	user, password, err := b.credentials(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := resp.Dial(ctx, addr, &resp.Options{
		Dialer: b.dialer(), TLS: b.tls, User: user, Password: password,
		ClientName: b.clientName, Database: b.database, Timeout: b.dialTimeout, WriteTimeout: b.ioTimeout,
		Buffer: bufferSize,
	})
	if err != nil {
		return nil, err
	}
	if isReplica(conn.Role()) {
		_ = conn.Close() // another look will show who the primary is
		return nil, errReplica
	}
	return conn, nil
}

// isReplica tells whether what HELLO says a server's role is means that it takes no writes.
func isReplica[T string | []byte](role T) bool {
	return string(role) == "replica" || string(role) == "slave"
}

// verbHello asks a server for its role, and so for a sign of life: there is no user that may not.
const verbHello = "HELLO"

// watch asks a server what it is four times in each timeout, and when there is doubt. It returns when the server gives no sign
// of life for the timeout after it was asked, or when ctx ends. taken counts what was read from it; ask does not block.
func watch(ctx context.Context, timeout time.Duration, taken *atomic.Uint64, doubt <-chan struct{}, ask func() error) error {
	tick := time.NewTicker(max(timeout/8, 1))
	defer tick.Stop()
	var seen uint64
	var asked time.Time // zero after a sign of life
	rest := false       // it was asked with the last tick
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-doubt:
			if err := ask(); err != nil {
				return err
			}
		case now := <-tick.C:
			alive := taken.Load() != seen
			if alive {
				seen, asked = taken.Load(), time.Time{}
			}
			switch {
			case rest && alive:
				rest = false
			case asked.IsZero():
				asked, rest = now, true
				if err := ask(); err != nil {
					return err
				}
			case now.Sub(asked) >= timeout:
				return errSilent
			}
		}
	}
}
