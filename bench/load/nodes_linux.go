package main

import (
	"context"
	"errors"

	"github.com/gohubkit/hubkit/bench/internal/result"
)

// nodes is rooms with the publisher on another node.
func nodes(ctx context.Context, c *config) (result.Result, error) {
	if c.publisher == "" || c.redis == "" {
		return result.Result{}, errors.New("needs a -publisher and -redis")
	}
	return roomsTest(ctx, c)
}

// cpu is the processor time, in seconds, of those who have a part in a test beside the server. It stays zero
// for who is not there.
type cpu struct{ publisher, redis float64 }

func (c *config) others(ctx context.Context) (t cpu, err error) {
	if c.publisher != "" {
		st, err := server{c.publisher}.stats(ctx, false)
		if err != nil {
			return t, err
		}
		t.publisher = st.CPU()
	}
	if c.redis != "" {
		t.redis, err = redisCPU(ctx, c.redis)
	}
	return t, err
}
