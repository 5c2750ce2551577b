package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const primeBatch = 256 // rooms asked for in one pipeline

// prime asks Redis for the newest position of rooms that have just been subscribed to, in this order, so
// that nothing lies between the two. Where messages were missed a catch-up begins, and wait, if any, waits
// for it. Rooms that could not be asked for are tried again in the background; the error is one of
// them.
func (b *Broker) prime(ctx context.Context, rooms []*room, wait *countdown) (failure error) {
	for len(rooms) > 0 {
		n := min(len(rooms), primeBatch)
		for i, err := range b.askTops(ctx, rooms[:n], wait) {
			if err != nil {
				failure = err
				b.catchUps.add(rooms[i])
			}
		}
		rooms = rooms[n:]
	}
	return failure
}

// askTops asks for the newest positions of a few rooms and returns what went wrong with each.
func (b *Broker) askTops(ctx context.Context, rooms []*room, wait *countdown) []error {
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	commands := make([]rueidis.Completed, 0, 2*len(rooms))
	for _, r := range rooms {
		commands = append(commands,
			b.client.B().Get().Key(b.names.metaOf(r.channel)).Build(),
			b.client.B().Exists().Key(b.names.presence(r.channel)).Build())
	}
	results := b.client.DoMulti(ctx, commands...)
	errs := make([]error, len(rooms))
	for i, r := range rooms {
		top, err := parseMeta(results[2*i])
		if err == nil {
			if known, err := results[2*i+1].AsInt64(); err == nil && known > 0 {
				b.presence.watch(r.name)
			}
		}
		r.mu.Lock()
		behind := false
		if errs[i] = err; err == nil {
			behind = r.compare(top)
		} else {
			r.unsure = true
		}
		if wait != nil && !r.gone && (r.lagging || r.unsure) {
			r.await(wait)
		}
		r.mu.Unlock()
		if err == nil {
			r.ready.Store(true)
		}
		if behind {
			b.catchUps.add(r)
		}
	}
	return errs
}

// primed takes in the newest position of a room, and that its metadata is kept for a while.
func (b *Broker) primed(r *room, top mark) {
	r.mu.Lock()
	behind := r.compare(top)
	if r.last.epoch == top.epoch {
		r.kept = time.Now()
	}
	r.mu.Unlock()
	if behind {
		b.catchUps.add(r)
	}
}

// parseMeta reads the meta key of a room: epoch, newest offset and its stamp, the offset at which the epoch began, and the
// bytes of the log, with spaces between. No key is the zero mark, and so is what the scripts take for none.
func parseMeta(res rueidis.RedisResult) (mark, error) {
	s, err := res.ToString()
	if rueidis.IsRedisNil(err) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, err
	}
	fields := strings.Split(s, " ")
	if len(fields) != 5 || len(fields[0]) != epochSize {
		return mark{}, nil
	}
	offset, err1 := strconv.ParseUint(fields[1], 10, 64)
	stamp, err2 := strconv.ParseUint(fields[2], 10, 64)
	if errors.Join(err1, err2) == nil {
		return mark{fields[0], offset, stamp}, nil
	}
	return mark{}, nil
}
