package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// occupied are the rooms that this node has told Redis it has members in.
type occupied struct {
	asked atomic.Bool // Redis, ever
	mu    sync.Mutex
	rooms map[string]bool
}

// set notes whether a room is occupied, and reports whether others are.
func (o *occupied) set(room string, is bool) (others bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rooms == nil {
		o.rooms = make(map[string]bool)
	}
	delete(o.rooms, room)
	others = len(o.rooms) > 0
	if is {
		o.rooms[room] = true
	}
	return others
}

func (o *occupied) all() (rooms []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for room := range o.rooms {
		rooms = append(rooms, room)
	}
	return rooms
}

// Occupy implements broker.Occupancy. It blocks no longer than ctx.
func (b *Broker) Occupy(ctx context.Context, room string) (bool, error) {
	if err := b.ready(ctx); err != nil {
		return false, err
	}
	if err := broker.CheckRoom(room); err != nil {
		return false, err
	}
	others := ""
	if b.occupied.set(room, true) {
		others = "1"
	}
	o, err := b.occupancy(ctx, "occupy", others, room)
	if err == nil && o.unknown { // Tend lists all rooms, this one too
		err = unavailable(errForgotten)
	}
	return len(o.Used) > 0, err
}

// Vacate implements broker.Occupancy. It blocks no longer than ctx.
func (b *Broker) Vacate(ctx context.Context, room string) (bool, error) {
	if err := b.ready(ctx); err != nil {
		return false, err
	}
	if err := broker.CheckRoom(room); err != nil {
		return false, err
	}
	b.occupied.set(room, false)
	o, err := b.occupancy(ctx, "vacate", room)
	return len(o.Empty) > 0, err
}

var errForgotten = errors.New("the server has lost the list of rooms with members on this node: Tend lists them again")

// occupyBatch is how many rooms are listed at once.
const occupyBatch = 100

// Tend implements broker.Occupancy. If Redis does not know this node, or has forgotten it, Tend lists its rooms again.
func (b *Broker) Tend(ctx context.Context) (all broker.Occupied, err error) {
	if err := b.ready(ctx); err != nil {
		return all, err
	}
	for {
		o, err := b.occupancy(ctx, "tend")
		if err != nil {
			return all, err
		}
		all.Used, all.Empty = append(all.Used, o.Used...), append(all.Empty, o.Empty...)
		all.Again = min(o.Again, jitter(b.refresh))
		if o.unknown {
			if o, err = b.occupyAgain(ctx); err != nil {
				return all, err
			}
			all.Used = append(all.Used, o.Used...)
			all.Again = 0 // others may have expired
			return all, nil
		}
		if !o.more {
			return all, nil
		}
	}
}

// occupyAgain lists all rooms of this node.
func (b *Broker) occupyAgain(ctx context.Context) (all occupancyReply, err error) {
	rooms := b.occupied.all()
	for first := true; first || len(rooms) > 0; first = false {
		n := min(len(rooms), occupyBatch)
		o, err := b.occupancy(ctx, "occupy", append([]string{""}, rooms[:n]...)...)
		if err != nil {
			return all, err
		}
		all.Used = append(all.Used, o.Used...)
		rooms = rooms[n:]
	}
	return all, nil
}

type occupancyReply struct {
	broker.Occupied
	unknown, more bool
}

func (b *Broker) occupancy(ctx context.Context, op string, args ...string) (o occupancyReply, err error) {
	key := b.names.occupancy()
	b.occupied.asked.Store(true)
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	res, err := b.exec(ctx, key, occupancyScript, []string{key}, append([]string{op, b.owner, milliseconds(b.ttl)}, args...))
	if err != nil {
		return o, err
	}
	answer, err := res.ToArray()
	if err != nil || len(answer) != 5 {
		return o, unavailable(errAnswer)
	}
	var numbers [3]int64
	for i := range numbers {
		if numbers[i], err = answer[i].AsInt64(); err != nil {
			return o, unavailable(err)
		}
	}
	o.unknown, o.more, o.Again = numbers[0] == 1, numbers[1] == 1, time.Duration(numbers[2])*time.Millisecond
	if o.Used, err = answer[3].AsStrSlice(); err != nil {
		return o, unavailable(err)
	}
	if o.Empty, err = answer[4].AsStrSlice(); err != nil {
		return o, unavailable(err)
	}
	return o, nil
}
