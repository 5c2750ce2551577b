package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/resp"
)

const (
	channelsPerCommand = 512
	commandsPerBatch   = 256
)

// verbs are the commands of channels: the sharded ones in a cluster.
type verbs struct{ subscribe, unsubscribe, publish string }

// The first two as the server confirms them.
const (
	verbSubscribe    = "subscribe"
	verbUnsubscribe  = "unsubscribe"
	verbSsubscribe   = "ssubscribe"
	verbSunsubscribe = "sunsubscribe"
	verbPing         = "ping"
)

var (
	plainVerbs   = verbs{verbSubscribe, verbUnsubscribe, "PUBLISH"}
	shardedVerbs = verbs{verbSsubscribe, verbSunsubscribe, "SPUBLISH"}
)

var (
	errNoLink     = errors.New("not connected")
	errNoReceiver = fmt.Errorf("redis: %w: started without a receiver", broker.ErrInvalid)
)

// Subscribe registers interest in rooms; an invalid name among them leaves all as they were. It returns when
// Redis has acknowledged. With an error that matches broker.ErrUnavailable the interest stays all the
// same, and is served as soon as Redis is back: who does not want that unsubscribes.
func (b *Broker) Subscribe(ctx context.Context, rooms ...string) error {
	if err := b.checkRooms(ctx, rooms); err != nil {
		return err
	}
	wanted := make([]*room, len(rooms))
	for i, name := range rooms {
		wanted[i] = b.newRoom(name, b.names.room(name), false)
	}
	return b.subscribe(ctx, b.rooms.add(wanted))
}

func (b *Broker) newRoom(name, channel string, bus bool) *room {
	return &room{name: name, channel: channel, bus: bus, slot: slotOf(channel)}
}

func (b *Broker) subscribe(ctx context.Context, todo map[*link][]*room) error {
	var faults []error
	for l, rooms := range todo {
		s := l.up()
		if s == nil {
			faults = append(faults, errNoLink)
			continue
		}
		done, err := s.subscribe(ctx, rooms)
		if err == nil && len(done) < len(rooms) {
			faults = append(faults, fmt.Errorf("%d rooms are being moved", len(rooms)-len(done)))
		}
		if err == nil {
			err = b.prime(ctx, done, nil)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return b.failed(errors.Join(faults...))
}

// Unsubscribe ends the interest, also where it returns an error.
func (b *Broker) Unsubscribe(ctx context.Context, rooms ...string) error {
	if err := b.checkRooms(ctx, rooms); err != nil {
		return err
	}
	channels := make([]string, len(rooms))
	for i, name := range rooms {
		channels[i] = b.names.room(name)
		b.presence.unwatch(name)
	}
	var faults []error
	for l, gone := range b.rooms.remove(channels) {
		s := l.up()
		if s == nil {
			continue // a connection that is gone is not subscribed
		}
		_, _, err := s.batches(ctx, b.verbs.unsubscribe, gone)
		faults = append(faults, err)
		if again := b.rooms.again(gone); len(again) > 0 {
			// Somebody subscribed meanwhile, and may have been overtaken.
			_, err := s.subscribe(ctx, again)
			faults = append(faults, err)
		}
	}
	return b.failed(errors.Join(faults...))
}

func (b *Broker) checkRooms(ctx context.Context, rooms []string) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if b.receiver == nil {
		return errNoReceiver
	}
	for _, name := range rooms {
		if err := broker.CheckRoom(name); err != nil {
			return err
		}
	}
	return nil
}

// subscribe subscribes to rooms of the link and returns those that the server took. The others are of a slot
// that is elsewhere, and adrift. The error is one of the connection.
func (s *session) subscribe(ctx context.Context, rooms []*room) (done []*room, err error) {
	done, failed, err := s.batches(ctx, s.link.b.verbs.subscribe, rooms)
	if err != nil {
		return nil, err
	}
	for _, r := range failed {
		s.link.b.rooms.drift(r.channel, s.link)
	}
	s.link.b.rooms.anchored(done, s.link)
	return done, nil
}

// batches sends a command for many channels, as few and as large ones as the server takes: in a cluster
// the channels of one command must be of one slot.
func (s *session) batches(ctx context.Context, verb string, rooms []*room) (done, failed []*room, err error) {
	sharded := s.link.b.cluster
	if sharded {
		rooms = slices.Clone(rooms)
		slices.SortFunc(rooms, func(x, y *room) int { return x.slot - y.slot })
	}
	var groups [][]*room
	send := func() error {
		if len(groups) == 0 {
			return nil
		}
		good, bad, err := s.batch(ctx, verb, groups)
		done, failed, groups = append(done, good...), append(failed, bad...), groups[:0]
		return err
	}
	for len(rooms) > 0 {
		n := min(len(rooms), channelsPerCommand)
		if sharded {
			for n = 1; n < len(rooms) && n < channelsPerCommand && rooms[n].slot == rooms[0].slot; n++ {
			}
		}
		groups = append(groups, rooms[:n])
		rooms = rooms[n:]
		if len(groups) == commandsPerBatch {
			if err := send(); err != nil {
				return done, failed, err
			}
		}
	}
	err = send()
	return done, failed, err
}

// batch sends one command for each group and waits for the answers.
func (s *session) batch(ctx context.Context, verb string, groups [][]*room) (done, failed []*room, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.link.b.ioTimeout)
	defer cancel()
	requests := make([]*request, len(groups))
	for i, g := range groups {
		requests[i] = newRequest(verb, g)
	}
	if err := s.send(requests...); err != nil {
		return nil, nil, err
	}
	for i, q := range requests {
		switch err := q.wait(ctx); {
		case err == nil:
			done = append(done, groups[i]...)
		case isElsewhere(err):
			failed = append(failed, groups[i]...)
		default:
			return nil, nil, err
		}
	}
	return done, failed, nil
}

// listen subscribes to the channel by which the connection is probed.
func (s *session) listen(ctx context.Context, probe string) error {
	ctx, cancel := context.WithTimeout(ctx, s.link.b.ioTimeout)
	defer cancel()
	q := newRequest(s.link.b.verbs.subscribe, nil)
	q.probe = probe
	if err := s.send(q); err != nil {
		return err
	}
	return q.wait(ctx)
}

func (q *request) wait(ctx context.Context) error {
	select {
	case err := <-q.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isElsewhere tells whether an answer says that a slot is not here, or not now.
func isElsewhere(err error) bool {
	var e resp.Error
	return errors.As(err, &e) &&
		slices.Contains([]string{"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN"}, e.Code())
}
