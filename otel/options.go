package otel

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/trace"
)

// Option changes a Tracer. New reports every fault of every option together.
type Option func(*config) error

type config struct {
	provider   trace.TracerProvider
	trusted    bool
	rooms      bool
	users      bool
	deliveries int
}

// WithTracerProvider sets the provider of the tracer. The default is the global TracerProvider at the time of New.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("WithTracerProvider: nil")
		}
		c.provider = p
		return nil
	}
}

// WithTrustedClients makes a client's trace context the parent of the hub's spans. The client's trace continues, and
// a sampler that follows the parent does what the client says. By default the hub's spans begin their own trace, with
// a link to the client's, and your sampler decides. Use it if clients are your own services, or if a gateway in front
// sets the headers. Any client may say that each of its messages is sampled.
func WithTrustedClients() Option {
	return func(c *config) error {
		c.trusted = true
		return nil
	}
}

// WithRoomNames adds the attribute messaging.destination.name, with at most 128 bytes of the room's name. By default
// spans contain no room names. Clients may choose names.
func WithRoomNames() Option {
	return func(c *config) error {
		c.rooms = true
		return nil
	}
}

// WithUserIDs adds the attribute user.id, with at most 128 bytes of the identity's user. By default spans contain no
// user.
func WithUserIDs() Option {
	return func(c *config) error {
		c.users = true
		return nil
	}
}

// WithDeliveryRate bounds how many deliveries a second have a span on this node. The default is 100. Zero traces no
// deliveries. The bound is needed because a message itself says that it is sampled, and other nodes, other programs
// and clients write messages.
func WithDeliveryRate(perSecond int) Option {
	return func(c *config) error {
		if perSecond < 0 {
			return fmt.Errorf("WithDeliveryRate: %d is negative", perSecond)
		}
		c.deliveries = perSecond
		return nil
	}
}
