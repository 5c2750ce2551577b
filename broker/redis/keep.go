package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// keepBatch is how many rooms are kept by one write.
const keepBatch = 256

// keepEmpty keeps the metadata of rooms to which nothing was published for as long as this node is subscribed to them. If it were
// forgotten under its members, the epoch would change, and a member that comes back would be told of a gap in place of the first
// messages.
func (b *Broker) keepEmpty() {
	age := b.emptyFor()
	for sleep(b.ctx, jitter(max(age/4, 1))) {
		due := b.rooms.empty(age / 2)
		for len(due) > 0 {
			n := min(len(due), keepBatch)
			b.keep(due[:n], age)
			due = due[n:]
		}
	}
}

// empty returns the rooms without messages whose metadata Redis was last asked to keep so long ago.
func (g *registry) empty(age time.Duration) (due []*room) {
	g.mu.RLock()
	rooms := make([]*room, 0, len(g.rooms))
	for _, r := range g.rooms {
		if !r.bus && !r.adrift {
			rooms = append(rooms, r)
		}
	}
	g.mu.RUnlock()
	for _, r := range rooms {
		r.mu.Lock()
		if r.primed && r.last.epoch != "" && r.last.offset == 0 && time.Since(r.kept) >= age {
			due = append(due, r)
		}
		r.mu.Unlock()
	}
	return due
}

// keep asks Redis to keep the metadata of a few rooms. What fails is asked again by the next round, before the metadata is
// forgotten.
func (b *Broker) keep(rooms []*room, age time.Duration) {
	ctx, cancel := context.WithTimeout(b.ctx, b.ioTimeout)
	defer cancel()
	commands := make([]rueidis.Completed, 0, len(rooms))
	asked := make([]*room, 0, len(rooms))
	for _, r := range rooms {
		if meta := b.names.metaOf(r.channel); b.routes.breaker(meta).check() == nil {
			asked = append(asked, r)
			commands = append(commands, b.client.B().Arbitrary("EVALSHA", keepHash, "1").Keys(meta).Args(milliseconds(age)).Build())
		}
	}
	if len(asked) == 0 {
		return
	}
	for i, res := range b.client.DoMulti(ctx, commands...) {
		epoch, err := res.ToString()
		if reply, ok := replyOf(err); ok && codeOf(reply) == "NOSCRIPT" {
			meta := b.names.metaOf(asked[i].channel)
			if res, err = b.exec(ctx, meta, keepScript, []string{meta}, []string{milliseconds(age)}); err == nil {
				epoch, err = res.ToString()
			}
		}
		if err == nil && epoch != "" {
			b.rooms.saw(asked[i].channel, mark{epoch: epoch}, true)
		}
	}
}
