package redis

import (
	"context"
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
	members, leaving := b.presence.snapshot(room)
	for _, conn := range leaving {
		if b.leave(ctx, room, conn) != nil {
			b.presence.failed(room)
			return
		}
	}
	owner := ""
	if len(members) > 0 {
		owner = b.owner
	}
	others := time.Duration(0)
	for more := true; more; {
		lost, wait, again, err := b.look(ctx, room, owner, b.ttl)
		if err == nil && lost {
			err = b.enterAgain(ctx, room, members)
		}
		if err != nil {
			b.presence.failed(room)
			return
		}
		others, more = wait, again
	}
	b.presence.visited(room, others)
}

// look runs the script of a visit. It tells whether Redis has lost the owner, how long it is until another
// one expires, or a negative duration, and whether expired ones are left.
func (b *Broker) look(ctx context.Context, room, owner string, ttl time.Duration) (lost bool, wait time.Duration, more bool, err error) {
	res, err := b.attend(ctx, visitScript, b.names.room(room), owner, milliseconds(ttl))
	if err != nil {
		return false, 0, false, err
	}
	answer, err := res.ToArray()
	if err != nil || len(answer) != 3 {
		return false, 0, false, errAnswer
	}
	var numbers [3]int64
	for i := range numbers {
		if numbers[i], err = answer[i].AsInt64(); err != nil {
			return false, 0, false, err
		}
	}
	return numbers[0] == 1, time.Duration(numbers[1]) * time.Millisecond, numbers[2] == 1, nil
}

func (b *Broker) enterAgain(ctx context.Context, room string, members map[string]string) error {
	for conn, member := range members {
		if err := b.enter(ctx, room, conn, member); err != nil {
			return err
		}
		if !b.presence.present(room, conn) { // it left meanwhile
			if err := b.leave(ctx, room, conn); err != nil {
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
			var err error
			if _, _, more, err = b.look(ctx, room, b.owner, 0); err != nil {
				return
			}
		}
	}
	if b.receiver != nil {
		key := b.names.nodes()
		_, _ = b.do(ctx, key, b.client.B().Hdel().Key(key).Field(b.node).Build())
	}
}
