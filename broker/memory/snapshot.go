package memory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"
)

// A snapshot is
//
//	magic, version, wall time (Unix, ns), void epochs, rooms, 0, CRC-32C of all before it (4 bytes, big endian)
//
// where a room is 1, name, parts (1: history, 2: keys), a publisher is a room with its name and only keys, and
//
//	history: epoch, top, TTL, time since last touched, count, messages, oldest first
//	message: flags (1: binary, 2: JSON, 4: meta), age, key, data, meta if there is one
//	keys:    count, keys, oldest first
//	key:     ID (16 bytes), epoch, offset, time left
//
// Numbers are unsigned varints, times are in nanoseconds, strings are preceded by their length.
const (
	snapshotMagic = "hubkitms"
	// plainVersion has no message with a meta. It is written if there is none, so that earlier versions can read it.
	plainVersion    = 2
	snapshotVersion = 3

	partHistory = 1
	partKeys    = 2
	flagBinary  = 1
	flagJSON    = 2
	flagMeta    = 4

	// longest bounds times, to some 73 years, and offsets, so that sums do not overflow.
	longest = 1 << 61
)

// ErrNotClosed is returned by Snapshot if the broker is not closed yet.
var ErrNotClosed = errors.New("memory: snapshot of a broker that is not closed")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot writes the histories with their positions, and the idempotency keys. The next process reads them with
// [Broker.Restore], so that its clients resume without a gap. The broker must be closed; otherwise Snapshot returns
// ErrNotClosed. Messages published after a snapshot would have offsets that the next process gives again. For the same
// reason, restore a snapshot only once. Presence and subscriptions are not in it.
func (b *Broker) Snapshot(w io.Writer) error {
	select {
	case <-b.done:
	default:
		return ErrNotClosed
	}
	rooms := slices.SortedFunc(b.allRooms(), func(x, y *room) int { return strings.Compare(x.name, y.name) })
	e := encoder{w: bufio.NewWriter(w)}
	e.raw([]byte(snapshotMagic))
	e.number(versionOf(rooms))
	e.number(uint64(max(0, time.Now().UnixNano())))
	for _, epoch := range &b.voids.epochs {
		e.text(epoch)
	}
	now := b.now()
	for _, r := range rooms {
		r.mu.Lock()
		e.room(r, now)
		r.mu.Unlock()
	}
	e.number(0)
	e.raw(binary.BigEndian.AppendUint32(nil, e.sum))
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("memory: snapshot: %w", err)
	}
	return nil
}

// versionOf is the earliest version that can hold the rooms.
func versionOf(rooms []*room) uint64 {
	for _, r := range rooms {
		if r.anyMeta() {
			return snapshotVersion
		}
	}
	return plainVersion
}

func (r *room) anyMeta() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.history == nil {
		return false
	}
	for i := range r.history.entries.n {
		if r.history.entries.at(i).meta != nil {
			return true
		}
	}
	return false
}

// encoder writes the parts of a snapshot. The first error sticks to w.
type encoder struct {
	w   *bufio.Writer
	sum uint32
	num [binary.MaxVarintLen64]byte
}

func (e *encoder) raw(p []byte) {
	e.sum = crc32.Update(e.sum, castagnoli, p)
	_, _ = e.w.Write(p)
}

func (e *encoder) number(n uint64) { e.raw(binary.AppendUvarint(e.num[:0], n)) }

func (e *encoder) bytes(p []byte) {
	e.number(uint64(len(p)))
	e.raw(p)
}

func (e *encoder) text(s string) { e.bytes([]byte(s)) }

func (e *encoder) time(ns int64) { e.number(uint64(min(max(0, ns), longest))) }

func (e *encoder) room(r *room, now int64) {
	var parts uint64
	if r.history != nil {
		parts |= partHistory
	}
	if r.keys != nil {
		parts |= partKeys
	}
	if parts == 0 {
		return
	}
	e.number(1)
	e.text(r.name)
	e.number(parts)
	if r.history != nil {
		e.history(r.history, now)
	}
	if r.keys != nil {
		e.keys(r.keys, now)
	}
}

func (e *encoder) history(h *history, now int64) {
	e.text(h.epoch)
	e.number(h.top)
	e.time(int64(h.ttl))
	e.time(now - h.touched)
	e.number(uint64(h.entries.n))
	for i := range h.entries.n {
		m := h.entries.at(i)
		var flags uint64
		if m.binary {
			flags |= flagBinary
		}
		if m.json {
			flags |= flagJSON
		}
		if m.meta != nil {
			flags |= flagMeta
		}
		e.number(flags)
		e.time(now - m.at)
		e.text(m.key)
		e.bytes(m.data)
		if m.meta != nil {
			meta, _ := m.meta.AppendBinary(nil) // its error is always nil
			e.bytes(meta)
		}
	}
}

func (e *encoder) keys(k *keys, now int64) {
	e.number(uint64(k.order.n))
	for i := range k.order.n {
		t := k.order.at(i)
		pos := k.seen[t.id].position
		e.raw(t.id[:])
		e.text(pos.Epoch)
		e.number(pos.Offset)
		e.time(t.expires - now)
	}
}
