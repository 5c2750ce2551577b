package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/broker"
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
)

var (
	plainVerbs   = verbs{verbSubscribe, verbUnsubscribe, "PUBLISH"}
	shardedVerbs = verbs{verbSsubscribe, verbSunsubscribe, "SPUBLISH"}
)

var (
	errNoLink     = errors.New("not connected")
	errNoReceiver = fmt.Errorf("redis: %w: a broker that was started without a receiver cannot subscribe", broker.ErrInvalid)
)

// Subscribe registers interest in rooms. If a name is invalid, no room is subscribed. It returns when Redis has
// acknowledged, and blocks no longer than ctx.
//
// After an error that matches broker.ErrUnavailable the interest stays, and is served as soon as Redis is back. To
// prevent that, call Unsubscribe. If the ACL denies the channels of some rooms, the error names them with NOPERM in its
// text. The other rooms are subscribed to.
func (b *Broker) Subscribe(ctx context.Context, rooms ...string) error {
	if err := b.checkRooms(ctx, rooms); err != nil {
		return err
	}
	wanted := make([]*room, len(rooms))
	for i, name := range rooms {
		wanted[i] = b.wanted(name)
	}
	return b.subscribe(ctx, b.rooms.add(wanted), nil)
}

// wanted is a room to be subscribed to.
func (b *Broker) wanted(name string) *room {
	r := b.newRoom(name, b.names.room(name), false)
	if b.finder != nil {
		r.to = b.finder.Room(name)
	}
	return r
}

func (b *Broker) newRoom(name, channel string, bus bool) *room {
	return &room{name: name, channel: channel, bus: bus, slot: slotOf(channel)}
}

// subscribe subscribes to rooms and primes them; opening, unless it is nil, asks about the only one.
func (b *Broker) subscribe(ctx context.Context, todo map[*link][]*room, opening *opening) error {
	var faults []error
	for l, rooms := range todo {
		s := l.up()
		if s == nil {
			faults = append(faults, errNoLink)
			continue
		}
		done, refused, err := s.subscribe(ctx, rooms, opening.questions(rooms)...)
		if moving := len(rooms) - len(done) - len(refused); err == nil && moving > 0 {
			faults = append(faults, fmt.Errorf("the slots of %d rooms are being moved", moving))
		}
		for _, r := range refused {
			faults = append(faults, fmt.Errorf("channel %q: %w", r.room.channel, r.err))
		}
		if err == nil && len(done) > 0 && !opening.answered(ctx, done) {
			err = b.prime(ctx, done, nil)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return b.failed(errors.Join(faults...))
}

// Unsubscribe ends the interest in rooms, even if it returns an error that matches broker.ErrUnavailable. It blocks no
// longer than ctx.
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
		_, _, _, err := s.batches(ctx, b.verbs.unsubscribe, gone)
		faults = append(faults, err)
		if again := b.rooms.again(gone); len(again) > 0 {
			// Somebody subscribed meanwhile, and may have been overtaken.
			_, _, err := s.subscribe(ctx, again)
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

// refusal is a room that the server's user may not have, and what the server said.
type refusal struct {
	room *room
	err  error
}

// subscribe subscribes to rooms of the link and returns those that the server took, and those that its user may not have.
// The others are of a slot that is elsewhere, and adrift. The error is one of the connection. The questions are asked behind the
// first rooms, and not waited for.
func (s *session) subscribe(ctx context.Context, rooms []*room, questions ...*request) (done []*room, refused []refusal, err error) {
	done, failed, refused, err := s.batches(ctx, s.link.b.verbs.subscribe, rooms, questions...)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range failed {
		s.link.b.rooms.drift(r.channel, s.link)
	}
	s.link.b.rooms.anchored(done, s.link)
	s.link.b.refuse(refused, s.link)
	return done, refused, nil
}

// batches sends a command for many channels, as few and as large ones as the server takes: in a cluster
// the channels of one command must be of one slot, and a channel that was refused has a command of its own.
func (s *session) batches(ctx context.Context, verb string, rooms []*room, questions ...*request) (done, failed []*room, refused []refusal, err error) {
	sharded := s.link.b.cluster
	if sharded {
		rooms = slices.Clone(rooms)
		slices.SortFunc(rooms, func(x, y *room) int { return x.slot - y.slot })
	}
	fit := func(x, y *room) bool {
		return (!sharded || x.slot == y.slot) && !x.refused.Load() && !y.refused.Load()
	}
	var groups [][]*room
	for len(rooms) > 0 {
		n := 1
		for n < len(rooms) && n < channelsPerCommand && fit(rooms[0], rooms[n]) {
			n++
		}
		groups = append(groups, rooms[:n])
		rooms = rooms[n:]
	}
	for len(groups) > 0 {
		n := min(len(groups), commandsPerBatch)
		now := groups[:n:n]
		groups = groups[n:]
		answers, err := s.batch(ctx, verb, now, questions...)
		questions = nil
		if err != nil {
			return done, failed, refused, err
		}
		for i, g := range now {
			switch err := answers[i]; {
			case err == nil:
				done = append(done, g...)
			case isElsewhere(err):
				failed = append(failed, g...)
			case !isChannelDenied(err):
				return done, failed, refused, err
			case len(g) == 1:
				refused = append(refused, refusal{g[0], err})
			default: // the server refuses a command for one of its channels, and does not say which
				groups = append(groups, g[:len(g)/2], g[len(g)/2:])
			}
		}
	}
	return done, failed, refused, nil
}

// batch sends one command for each group, and the questions behind them, and waits for the answers to the commands.
func (s *session) batch(ctx context.Context, verb string, groups [][]*room, questions ...*request) (answers []error, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.link.b.ioTimeout)
	defer cancel()
	requests := make([]*request, len(groups), len(groups)+len(questions))
	for i, g := range groups {
		requests[i] = newRequest(verb, g)
	}
	for _, q := range questions {
		q.behind = requests[len(requests)-1]
	}
	if err := s.send(append(requests, questions...)...); err != nil {
		return nil, err
	}
	answers = make([]error, len(groups))
	for i, q := range requests {
		answers[i] = q.wait(ctx)
		if _, answered := replyOf(answers[i]); answers[i] != nil && !answered {
			return nil, answers[i]
		}
	}
	return answers, nil
}

// refuse notes which rooms the user may not have. A room that it could have before is adrift, and tried again; one that it
// never had is not there.
func (b *Broker) refuse(refused []refusal, l *link) {
	if len(refused) == 0 {
		return
	}
	b.stats.refused.Add(int64(len(refused)))
	for _, r := range refused {
		r.room.refused.Store(true)
		if r.room.ready.Load() {
			b.rooms.drift(r.room.channel, l)
		}
	}
	if b.refusals.due(time.Now()) {
		b.log.Error("redis refuses rooms to this user: add their channels to the ACL", "rooms", len(refused),
			"channel", refused[0].room.channel, "err", refused[0].err)
	}
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
