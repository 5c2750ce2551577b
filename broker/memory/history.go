package memory

import (
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// What a history and a message cost beyond their names and payloads, for the byte bound. Rounded up
// from what the allocator gives.
const (
	historyCost = 512
	entryCost   = 88
)

// entry is a stored message; its offset follows from its place.
type entry struct {
	data   []byte
	key    string
	at     int64 // when it was stored
	binary bool
	json   bool
	meta   *broker.Meta
}

func (e *entry) cost() int64 { return entryCost + int64(e.size()+len(e.key)) }

// size is what counts for the bytes of a query.
func (e *entry) size() int {
	if e.meta == nil {
		return len(e.data)
	}
	return len(e.data) + e.meta.Size()
}

// history is the stored part of a room, guarded by the room's lock. A room has one from its first message on.
type history struct {
	deadline
	weight  weight
	epoch   string
	top     uint64        // the newest offset
	ttl     time.Duration // of the latest publication
	touched int64         // when it was last published to or read
	bytes   int64
	entries ring[entry]
}

func newHistory(r *room, epoch string, ttl time.Duration) *history {
	return &history{
		deadline: deadline{room: r, due: never},
		weight:   weight{deadline: deadline{room: r, due: never}},
		epoch:    epoch,
		ttl:      ttl,
		bytes:    historyCost + int64(len(r.name)),
	}
}

// historyOf returns the room's history, a new one if need be, with the retention of its latest user.
func (b *Broker) historyOf(r *room, ttl time.Duration) *history {
	if r.history == nil {
		r.history = newHistory(r, b.voidEpoch(r), ttl)
		b.used.Add(r.history.bytes)
	}
	r.history.ttl = ttl
	return r.history
}

// forgetHistory drops the metadata too: the next history of the room has another epoch.
func (b *Broker) forgetHistory(r *room) {
	b.histories.plan(&r.history.deadline, never)
	r.history.weight.place(&b.heaviest, 0, 0)
	b.voids.renew(r.name)
	b.used.Add(-r.history.bytes)
	r.history = nil
}

func (h *history) position() broker.Position {
	return broker.Position{Epoch: h.epoch, Offset: h.top}
}

// first is the oldest retained offset; top+1 if there is none.
func (h *history) first() uint64 { return h.top - uint64(h.entries.n) + 1 }

func (h *history) append(p *broker.Publication, now int64) broker.Position {
	h.touched = now
	h.expire(now)
	e := entry{data: p.Data, key: p.ConflationKey, at: now, binary: p.Binary, json: p.JSON, meta: p.Meta}
	most := p.Retention.MaxBytes() + h.base() - e.cost()
	for h.entries.n > 0 && (h.entries.n >= p.Retention.Size || h.bytes > most) {
		h.drop()
	}
	h.top++
	if h.bytes <= most {
		h.bytes += e.cost()
		h.entries.push(e, p.Retention.Size)
	}
	return h.position()
}

// base is what a history without messages takes.
func (h *history) base() int64 { return historyCost + int64(len(h.room.name)) }

// drop lets go of the oldest message.
func (h *history) drop() {
	h.bytes -= h.entries.at(0).cost()
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
	if q.Reverse {
		return h.readBack(q)
	}
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
	if q.PositionOnly {
		return page
	}
	n := int(h.top - from + 1)
	if q.Last > 0 && n > q.Last {
		n = q.Last
	}
	from = h.top - uint64(n) + 1
	if q.Limit > 0 && n > q.Limit {
		n, page.More = q.Limit, true
	}
	skip := int(from - h.first())
	h.take(&page, q, skip, n, 1)
	return page
}

// readBack is read for a query in reverse.
func (h *history) readBack(q *broker.Query) broker.Page {
	page := broker.Page{Top: h.position()}
	before := h.top + 1
	if !q.Since.IsZero() {
		if q.Since.Epoch != h.epoch {
			page.Gap = true
			return page
		}
		before = min(before, q.Since.Offset)
	}
	if q.PositionOnly || before <= h.first() {
		return page
	}
	n := int(before - h.first())
	newest := n - 1
	if q.Limit > 0 && n > q.Limit {
		n, page.More = q.Limit, true
	}
	h.take(&page, q, newest, n, -1)
	return page
}

// take puts n entries in a page, from a place on, up or down, or as many of them as the query has bytes for.
func (h *history) take(page *broker.Page, q *broker.Query, place, n, step int) {
	if fit := h.fitting(place, n, step, q.Bytes); fit < n {
		n, page.More = fit, true
	}
	if n == 0 {
		return
	}
	page.Messages = make([]broker.Message, n)
	for i := range page.Messages {
		at := place + i*step
		e := h.entries.at(at)
		page.Messages[i] = broker.Message{
			Data: e.data, Binary: e.binary, JSON: e.json, ConflationKey: e.key, Meta: e.meta,
			Position: broker.Position{Epoch: h.epoch, Offset: h.first() + uint64(at)},
		}
	}
}

// fitting is how many of n messages have so many bytes; one in any case, and all if bytes is zero.
func (h *history) fitting(place, n, step, bytes int) int {
	if bytes == 0 {
		return n
	}
	for i := range n {
		if bytes -= h.entries.at(place + i*step).size(); bytes < 0 {
			return max(i, 1)
		}
	}
	return n
}
