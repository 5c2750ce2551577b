package redis

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

// Secret returns the secret of a name. If there is none, it first sets it to fresh. It blocks no longer than ctx. The secret
// does not expire. Everyone who can read Redis can read it.
func (b *Broker) Secret(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if err := broker.CheckRoom(name); err != nil {
		return nil, err
	}
	key := b.names.secret(name)
	for range 2 {
		res, err := b.do(ctx, key, b.client.B().Get().Key(key).Build())
		if err == nil {
			secret, err := res.AsBytes()
			return secret, b.failed(err)
		}
		if !errors.Is(err, rueidis.Nil) {
			return nil, err
		}
		_, err = b.do(ctx, key, b.client.B().Set().Key(key).Value(rueidis.BinaryString(fresh)).Nx().Build())
		if err != nil && !errors.Is(err, rueidis.Nil) { // nil: another node was first
			return nil, err
		}
	}
	return nil, unavailable(errAnswer) // it was deleted again
}
