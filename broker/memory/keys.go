package memory

import (
	"strings"

	"github.com/gohubkit/hubkit/broker"
)

// keys are the idempotency keys of a room, guarded by the room's lock.
type keys struct {
	deadline
	seen  map[string]seen
	order ring[turn] // oldest first
}

// seen is what became of the first publication with a key.
type seen struct {
	position broker.Position
	expires  int64
}

// turn is a key's place in the order of arrival. A key that came again after its time has two of
// them, of which the later one counts.
type turn struct {
	key     string
	expires int64
}

func newKeys(r *room) *keys {
	return &keys{deadline: deadline{room: r, due: never}, seen: make(map[string]seen)}
}

func (k *keys) find(key string, now int64) (broker.Position, bool) {
	s, ok := k.seen[key]
	return s.position, ok && now < s.expires
}

// add remembers a key that find does not know.
func (k *keys) add(p *broker.Publication, pos broker.Position, now int64, limit int) {
	ttl := p.IdempotencyTTL
	if ttl == 0 {
		ttl = broker.DefaultIdempotencyTTL
	}
	k.expire(now)
	for k.order.n >= limit {
		k.drop()
	}
	k.insert(strings.Clone(p.IdempotencyKey), seen{pos, after(now, ttl)}, limit)
}

func (k *keys) insert(key string, s seen, limit int) {
	k.seen[key] = s
	k.order.push(turn{key, s.expires}, limit)
}

func (k *keys) drop() {
	t := *k.order.at(0)
	if k.seen[t.key].expires == t.expires {
		delete(k.seen, t.key)
	}
	k.order.pop()
}

// expire forgets the oldest keys whose time is over. One that lives longer than those after it holds
// them back, which costs memory, within the limit, and nothing else.
func (k *keys) expire(now int64) {
	for k.order.n > 0 && k.order.at(0).expires <= now {
		k.drop()
	}
}
