package hub_test

import (
	"context"
	"errors"
	"testing"

	hubclient "github.com/gohubkit/hubkit/client"
)

// goClientIn runs package client's client, which is in a room, until the test ends.
func (s *server) goClientIn(t *testing.T, room string) *hubclient.Client {
	t.Helper()
	c := s.goClient(t)
	sub, err := c.Subscribe(room, func(hubclient.Message) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// goClient runs package client's client until the test ends.
func (s *server) goClient(t *testing.T, opts ...hubclient.Option) *hubclient.Client {
	t.Helper()
	c, err := hubclient.New(s.url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return c
}
