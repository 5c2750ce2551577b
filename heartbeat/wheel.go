package heartbeat

import "math/bits"

const (
	// chunkLen is how many peers are looked after in one go under the lock. A chunk is 256 bytes, or 512 if the peers are
	// interfaces: the garbage collector adds no header to either.
	chunkLen = 32
	// spareChunks and spareList bound the memory kept for peers to come.
	spareChunks = 128
	spareList   = 512
)

type chunk[P Peer] [chunkLen]P

// wheel holds every peer in the slot of the tick at which it is to be looked after. The slots are a
// power of two, so that ticks may wrap around. Beyond them is one slot, limbo, for those whose
// Expire is under way.
type wheel[P Peer] struct {
	slots []slot[P]
	limbo uint32
	spare []*chunk[P]
}

// slot is a list of peers in chunks, all full but the last, none empty.
type slot[P Peer] struct {
	chunks []*chunk[P]
	n      uint32
}

// newWheel makes the first lists of all slots in one piece. Made one by one, as peers come, each would hold a page of the garbage that
// is made meanwhile.
func newWheel[P Peer](size uint32) wheel[P] {
	const first = 4
	size = 1 << bits.Len32(size-1)
	w := wheel[P]{slots: make([]slot[P], size+1), limbo: size}
	lists := make([]*chunk[P], len(w.slots)*first)
	for i := range w.slots {
		w.slots[i].chunks = lists[i*first : i*first : (i+1)*first]
	}
	return w
}

// at returns the slot of a tick.
func (w *wheel[P]) at(tick uint32) uint32 { return tick & (w.limbo - 1) }

func (s *slot[P]) peer(i uint32) *P { return &s.chunks[i/chunkLen][i%chunkLen] }

// put appends p to a slot; it must be in none.
func (w *wheel[P]) put(p P, e *Entry, to uint32, st state) {
	s := &w.slots[to]
	if s.n%chunkLen == 0 {
		before := s.chunks
		s.chunks = append(s.chunks, w.newChunk())
		if cap(s.chunks) > cap(before) {
			clear(before) // it may be of newWheel's, and stay
		}
	}
	*s.peer(s.n) = p
	e.index = s.n
	e.set(to, st)
	s.n++
}

// take removes e's peer from its slot; the slot's last one moves to its place. The caller sets e's state.
func (w *wheel[P]) take(e *Entry) {
	s := &w.slots[e.slot()]
	s.n--
	last := s.peer(s.n)
	if e.index != s.n {
		*s.peer(e.index) = *last
		(*last).Heartbeat().index = e.index
	}
	*last = *new(P)
	if s.n%chunkLen == 0 {
		w.dropChunk(s)
	}
}

// holds reports whether e, which is in some monitor's slot, is in one of w.
func (w *wheel[P]) holds(e *Entry) bool {
	if e.slot() >= uint32(len(w.slots)) {
		return false
	}
	s := &w.slots[e.slot()]
	return e.index < s.n && (*s.peer(e.index)).Heartbeat() == e
}

// pop copies the peers of a slot's last chunk to dst, removes them and returns how many they are. The
// caller puts them elsewhere before it lets go of the lock.
func (w *wheel[P]) pop(from uint32, dst *chunk[P]) int {
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

func (w *wheel[P]) newChunk() *chunk[P] {
	n := len(w.spare)
	if n == 0 {
		return new(chunk[P])
	}
	c := w.spare[n-1]
	w.spare[n-1] = nil
	w.spare = w.spare[:n-1]
	return c
}

// dropChunk takes the last chunk, which is empty, from s.
func (w *wheel[P]) dropChunk(s *slot[P]) {
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
