package memory

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// Occupy implements broker.Occupancy. first is always true, because no other node has members.
func (b *Broker) Occupy(ctx context.Context, room string) (bool, error) { return b.alone(ctx, room) }

// Vacate implements broker.Occupancy. last is always true, because no other node has members.
func (b *Broker) Vacate(ctx context.Context, room string) (bool, error) { return b.alone(ctx, room) }

func (b *Broker) alone(ctx context.Context, room string) (bool, error) {
	if err := b.ready(ctx); err != nil {
		return false, err
	}
	if err := broker.CheckRoom(room); err != nil {
		return false, err
	}
	return true, nil
}

// Tend implements broker.Occupancy. It does nothing and asks to be called again in an hour.
func (b *Broker) Tend(ctx context.Context) (broker.Occupied, error) {
	return broker.Occupied{Again: time.Hour}, b.ready(ctx)
}
