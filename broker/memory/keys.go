package memory

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/gohubkit/hubkit/broker"
)

// keys are idempotency keys: those of the service in a room, or those of a publisher in all rooms. They are guarded by the
// lock of the room that holds them.
type keys struct {
	deadline
	weight weight // of a publisher's
	seen   map[id]seen
	order  ring[turn] // oldest first
}

// id stands for a key in a room. All take the same memory, whatever the key.
type id [16]byte

func keyID(room, key string) (i id) {
	var short [256]byte
	text := binary.BigEndian.AppendUint16(short[:0], uint16(len(room)))
	sum := sha256.Sum256(append(append(text, room...), key...))
	copy(i[:], sum[:])
	return i
}

// publisherMark begins the name under which a publisher's keys are held. No room has a name like that.
const publisherMark = "\x00"

// publisherSize is how long such a name is.
const publisherSize = len(publisherMark) + len(id{})

func publisherRoom(publisher string) string {
	sum := sha256.Sum256([]byte(publisher))
	return publisherMark + string(sum[:len(id{})])
}

func (r *room) isPublisher() bool { return r.name[:1] == publisherMark }

// seen is what became of the first publication with a key.
type seen struct {
	position broker.Position
	expires  int64
}

// turn is a key's place in the order of arrival. A key that came again after its time has two of
// them, of which the later one counts.
type turn struct {
	id      id
	expires int64
}

func newKeys(r *room) *keys {
	return &keys{
		deadline: deadline{room: r, due: never},
		weight:   weight{deadline: deadline{room: r, due: never}},
		seen:     make(map[id]seen),
	}
}

func (k *keys) find(i id, now int64) (broker.Position, bool) {
	s, ok := k.seen[i]
	return s.position, ok && now < s.expires
}

func (k *keys) insert(i id, s seen, limit int) {
	k.seen[i] = s
	k.order.push(turn{i, s.expires}, limit)
}

func (k *keys) drop() {
	t := *k.order.at(0)
	if k.seen[t.id].expires == t.expires {
		delete(k.seen, t.id)
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

// remember adds a key that is not known to a locked room.
func (b *Broker) remember(r *room, i id, expires int64, pos broker.Position, now int64, limit int) {
	if r.keys == nil {
		r.keys = newKeys(r)
	}
	k := r.keys
	before := k.order.n
	k.expire(now)
	for k.order.n >= limit {
		k.drop()
		b.stats.forgottenKeys.Add(1)
	}
	k.insert(i, seen{pos, expires}, limit)
	b.countKeys(r, before)
}

// countKeys takes in that a locked room holds another number of keys than before.
func (b *Broker) countKeys(r *room, before int) {
	if r.isPublisher() {
		b.lent.Add(int64(r.keys.order.n - before))
	}
}
