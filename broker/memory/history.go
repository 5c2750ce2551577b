package memory

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// What a history and a message cost beyond their names and payloads, for the byte bound. Rounded up
// from what the allocator gives.
const (
	historyCost = 512
	entryCost   = 80
)

// entry is a stored message; its offset follows from its place.
type entry struct {
	data   []byte
	key    string
	at     int64 // when it was stored
	binary bool
}

// history is the stored part of a room, guarded by the room's lock.
type history struct {
	deadline
	epoch   string
	top     uint64        // the newest offset
	ttl     time.Duration // of the latest publication
	touched int64         // when it was last published to or read
	bytes   int64
	entries ring[entry]
}

func newHistory(r *room, ttl time.Duration) *history {
	return &history{
		deadline: deadline{room: r, due: never},
		epoch:    strconv.FormatUint(rand.Uint64(), 32),
		ttl:      ttl,
		bytes:    historyCost + int64(len(r.name)),
	}
}

// historyOf returns the room's history, a new one if need be, with the retention of its latest user.
func (b *Broker) historyOf(r *room, ttl time.Duration) *history {
	if r.history == nil {
		r.history = newHistory(r, ttl)
		b.used.Add(r.history.bytes)
	}
	r.history.ttl = ttl
	return r.history
}

// forgetHistory drops the metadata too: the next history of the room has another epoch.
func (b *Broker) forgetHistory(r *room) {
	b.histories.plan(&r.history.deadline, never)
	b.used.Add(-r.history.bytes)
	r.history = nil
}

func (h *history) position() broker.Position {
	return broker.Position{Epoch: h.epoch, Offset: h.top}
}

// first is the oldest retained offset; top+1 where there is none.
func (h *history) first() uint64 { return h.top - uint64(h.entries.n) + 1 }

func (h *history) append(p *broker.Publication, now int64) broker.Position {
	h.touched = now
	h.expire(now)
	for h.entries.n >= p.Retention.Size {
		h.drop()
	}
	h.top++
	h.bytes += entryCost + int64(len(p.Data)+len(p.Key))
	h.entries.push(entry{data: p.Data, key: p.Key, at: now, binary: p.Binary}, p.Retention.Size)
	return h.position()
}

// drop lets go of the oldest message.
func (h *history) drop() {
	e := h.entries.at(0)
	h.bytes -= entryCost + int64(len(e.data)+len(e.key))
	h.entries.pop()
}

// expire lets go of the messages whose time is over.
func (h *history) expire(now int64) {
	for h.entries.n > 0 && now-h.entries.at(0).at >= int64(h.ttl) {
		h.drop()
	}
}

// read answers a query as broker.History says.
func (h *history) read(q *broker.Query) broker.Page {
	page := broker.Page{Top: h.position()}
	from := h.first()
	if !q.Since.IsZero() {
		// A position ahead of the top is of a time that was lost.
		if q.Since.Epoch != h.epoch || q.Since.Offset > h.top || q.Since.Offset+1 < from {
			page.Gap = true
			return page
		}
		from = q.Since.Offset + 1
	}
	n := int(h.top - from + 1)
	if q.Last > 0 && n > q.Last {
		n = q.Last
	}
	from = h.top - uint64(n) + 1
	if q.Limit > 0 && n > q.Limit {
		n, page.More = q.Limit, true
	}
	if n == 0 {
		return page
	}
	page.Messages = make([]broker.Message, n)
	skip := int(from - h.first())
	for i := range page.Messages {
		e := h.entries.at(skip + i)
		page.Messages[i] = broker.Message{
			Data: e.data, Binary: e.binary, Key: e.key,
			Position: broker.Position{Epoch: h.epoch, Offset: from + uint64(i)},
		}
	}
	return page
}
