package heartbeat

import "math/bits"

const (
	// chunkLen is how many peers are looked after in one go under the lock. A chunk is 512 bytes, the
	// largest object that the garbage collector adds no header to.
	chunkLen = 32
	// spareChunks and spareList bound the memory kept for peers to come.
	spareChunks = 128
	spareList   = 512
)

type chunk [chunkLen]Peer

// wheel holds every peer in the slot of the tick at which it is to be looked after. The slots are a
// power of two, so that ticks may wrap around. Beyond them is one slot, limbo, for those whose
// Expire is under way.
type wheel struct {
	slots []slot
	limbo uint32
	spare []*chunk
}

// slot is a list of peers in chunks, all full but the last, none empty.
type slot struct {
	chunks []*chunk
	n      uint32
}

func newWheel(size uint32) wheel {
	size = 1 << bits.Len32(size-1)
	return wheel{slots: make([]slot, size+1), limbo: size}
}

// at returns the slot of a tick.
func (w *wheel) at(tick uint32) uint32 { return tick & (w.limbo - 1) }

func (s *slot) peer(i uint32) *Peer { return &s.chunks[i/chunkLen][i%chunkLen] }

// put appends p to a slot; it must be in none.
func (w *wheel) put(p Peer, e *Entry, to uint32, st state) {
	s := &w.slots[to]
	if s.n%chunkLen == 0 {
		s.chunks = append(s.chunks, w.newChunk())
	}
	*s.peer(s.n) = p
	e.index = s.n
	e.set(to, st)
	s.n++
}

// take removes e's peer from its slot; the slot's last one moves to its place. The caller sets e's state.
func (w *wheel) take(e *Entry) {
	s := &w.slots[e.slot()]
	s.n--
	last := s.peer(s.n)
	if e.index != s.n {
		*s.peer(e.index) = *last
		(*last).Heartbeat().index = e.index
	}
	*last = nil
	if s.n%chunkLen == 0 {
		w.dropChunk(s)
	}
}

// holds reports whether e, which is in some monitor's slot, is in one of w.
func (w *wheel) holds(e *Entry) bool {
	if e.slot() >= uint32(len(w.slots)) {
		return false
	}
	s := &w.slots[e.slot()]
	return e.index < s.n && (*s.peer(e.index)).Heartbeat() == e
}

// pop copies the peers of a slot's last chunk to dst, removes them and returns how many they are. The
// caller puts them elsewhere before it lets go of the lock.
func (w *wheel) pop(from uint32, dst *chunk) int {
	s := &w.slots[from]
	if s.n == 0 {
		return 0
	}
	n := (s.n-1)%chunkLen + 1
	last := s.chunks[len(s.chunks)-1]
	copy(dst[:n], last[:n])
	clear(last[:n])
	s.n -= n
	w.dropChunk(s)
	return int(n)
}

func (w *wheel) newChunk() *chunk {
	n := len(w.spare)
	if n == 0 {
		return new(chunk)
	}
	c := w.spare[n-1]
	w.spare[n-1] = nil
	w.spare = w.spare[:n-1]
	return c
}

// dropChunk takes the last chunk, which is empty, from s.
func (w *wheel) dropChunk(s *slot) {
	n := len(s.chunks) - 1
	if len(w.spare) < spareChunks {
		w.spare = append(w.spare, s.chunks[n])
	}
	s.chunks[n] = nil
	s.chunks = s.chunks[:n]
	if n == 0 && cap(s.chunks) > spareList {
		s.chunks = nil // it was a crowd
	}
}
