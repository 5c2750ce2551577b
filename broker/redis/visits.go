package redis

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	visitBatch   = 256
	visitWorkers = 8
)

// runVisits visits the rooms that are due: it keeps the members of this node alive, announces them again
// where Redis has lost them, and removes those of nodes that are gone.
func (b *Broker) runVisits() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-timer.C:
		case <-b.presence.wake:
		}
		rooms, wait := b.presence.take(visitBatch)
		b.visitAll(b.ctx, rooms)
		if len(rooms) == visitBatch {
			wait = 0
		}
		timer.Reset(wait)
	}
}

func (b *Broker) visitAll(ctx context.Context, rooms []string) {
	var workers sync.WaitGroup
	queue := make(chan string)
	for range min(visitWorkers, len(rooms)) {
		workers.Go(func() {
			for room := range queue {
				b.visit(ctx, room)
			}
		})
	}
	for _, room := range rooms {
		queue <- room
	}
	close(queue)
	workers.Wait()
}

func (b *Broker) visit(ctx context.Context, room string) {
	r := b.presence.snapshot(room)
	for conn, json := range r.leaving {
		if b.leave(ctx, room, conn, json) != nil {
			b.presence.failed(room)
			return
		}
	}
	owner := ""
	if len(r.members) > 0 {
		owner = b.owner
	}
	var v view
	for more := true; more; {
		var err error
		v, err = b.look(ctx, room, owner, false)
		if err == nil && owner != "" {
			switch {
			case v.state != intact:
				err = b.mend(ctx, room, v.state)
			case v.members != len(r.members) && b.presence.same(room, &r):
				err = b.reconcile(ctx, room)
			}
		}
		if err != nil {
			b.presence.failed(room)
			return
		}
		more = v.more
	}
	if v.state == intact { // else it is not known who had members
		b.presence.know(room, v.others)
	}
	b.presence.visited(room, v.wait)
}

// view is what a visit finds.
type view struct {
	state   loss          // of the owner
	members int           // of the owner
	wait    time.Duration // until another owner expires; negative without one
	more    bool          // expired members are left
	others  []string      // owners that have members
}

// look runs the script of a visit, or of the end of an owner.
func (b *Broker) look(ctx context.Context, room, owner string, end bool) (v view, err error) {
	last := ""
	if end {
		last = "1"
	}
	res, err := b.attend(ctx, visitScript, b.names.room(room), append([]string{owner, last}, b.presence.dead(b.ttl)...)...)
	if err != nil {
		return v, err
	}
	answer, err := res.ToArray()
	if err != nil || len(answer) != 5 {
		return v, errAnswer
	}
	others, err := answer[4].AsStrSlice()
	if err != nil {
		return v, err
	}
	var numbers [4]int64
	for i := range numbers {
		if numbers[i], err = answer[i].AsInt64(); err != nil {
			return v, err
		}
	}
	return view{loss(numbers[0]), int(numbers[1]), time.Duration(numbers[2]) * time.Millisecond, numbers[3] == 1, others}, nil
}

// enterBatch is how many members are listed at once.
const enterBatch = 100

// mend lists all members of this node in a room again. Those of which nobody has heard that they are gone are not announced.
// If Redis has lost the room, the other nodes are told to do the same. Until those that are known to have members there have
// done so, or have had a TTL for it, presence there is an error; and for a while in any case, as others may not be known.
func (b *Broker) mend(ctx context.Context, room string, why loss) error {
	claim, others := "", ""
	switch why {
	case lost:
		claim, others = milliseconds(min(b.refresh, mendWindow)), b.presence.known(room, b.ttl)
	case buried:
		b.presence.buried(room)
	}
	r := b.presence.snapshot(room)
	conns := slices.Collect(maps.Keys(r.members))
	listed := 0
	for batch := range slices.Chunk(conns, enterBatch) {
		entries := make([]entry, len(batch))
		for i, conn := range batch {
			m := r.members[conn]
			entries[i] = entry{conn, m.json, !m.told}
		}
		part := "more"
		if listed += len(batch); listed == len(conns) {
			part = "last"
		}
		if _, err := b.enter(ctx, room, listing{claim, part, others}, entries); err != nil {
			return err
		}
		b.presence.announced(room, batch)
	}
	for _, conn := range conns {
		if !b.presence.present(room, conn) { // it left meanwhile
			if err := b.leave(ctx, room, conn, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// reconcile makes Redis list the members of this node, and no others: it has come back with older data.
func (b *Broker) reconcile(ctx context.Context, room string) error {
	if err := b.mend(ctx, room, intact); err != nil {
		return err
	}
	channel, mine := b.names.room(room), "o:"+b.owner+"\x00"
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	res, err := b.do(ctx, channel, b.client.B().Zrangebylex().Key(b.names.presence(channel)).Min("["+mine).Max("("+mine[:len(mine)-1]+"\x01").Build())
	if err != nil {
		return err
	}
	listed, err := res.AsStrSlice()
	if err != nil {
		return unavailable(err)
	}
	for _, element := range listed {
		if conn := element[len(mine):]; !b.presence.present(room, conn) {
			if err := b.leave(ctx, room, conn, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// quit takes back what this node has announced, as far as ctx allows.
func (b *Broker) quit(ctx context.Context) {
	for _, room := range b.presence.owned() {
		for more := true; more; {
			v, err := b.look(ctx, room, b.owner, true)
			if err != nil {
				return
			}
			more = v.more
		}
	}
	if b.receiver == nil {
		return
	}
	if b.occupied.asked.Load() { // others are told of what is left within their next Tend
		_, _ = b.occupancy(ctx, "quit")
	}
	if owner, err := b.listed(ctx); err == nil && owner == b.owner { // and not of a node that has begun under this name since
		key := b.names.nodes()
		_, _ = b.do(ctx, key, b.client.B().Hdel().Key(key).Field(b.node).Build())
	}
}
