package wire

import "github.com/gohubkit/hubkit/internal/engine/frame"

// item is what waits of a batch: the batch is shared by many and stays as it is.
type item struct {
	batch *frame.Batch
	page  *frame.Source // the room from whose history this was read: it is not given up to be read again; nil elsewhere
	next  int           // the first message that is not wholly sent; Len at the end
	at    int           // bytes of the batch that are behind it
	lost  bitset        // messages given up
	left  int           // messages that wait
	size  int           // bytes that wait
	rest  bool          // it goes on with a frame whose beginning is in the item before, or in the socket
	// silent: what it ends is no message.
	silent bool
}

// itemAt is what follows the first n bytes of a batch.
func itemAt(b *frame.Batch, n int) item {
	left := b.Remaining(n)
	return item{batch: b, next: b.Len() - left, at: n, left: left, size: b.Size() - n}
}

// run is what can be written in one go: up to the next message that was given up.
func (it *item) run() []byte {
	if it.lost == nil {
		return it.batch.Slice(it.at, it.batch.Size())
	}
	end := it.next
	for end < it.batch.Len() && !it.lost.has(end) {
		end++
	}
	return it.batch.Slice(it.at, it.batch.Start(end))
}

// sent takes n bytes off and reports how many messages that completed.
func (it *item) sent(n int) (done int) {
	it.at += n
	it.size -= n
	for it.next < it.batch.Len() && it.batch.Start(it.next+1) <= it.at {
		it.next++
		done++
	}
	it.left -= done
	it.skip()
	return done
}

// plain is how many of the messages that wait are plain.
func (it *item) plain() int {
	n, _ := it.batch.Count(it.next, it.batch.Len())
	if n == it.batch.Len()-it.next {
		return it.left // all of one class
	}
	for i := it.next; i < it.batch.Len(); i++ {
		if it.lost.has(i) && it.batch.Class(i) == frame.Plain {
			n--
		}
	}
	return n
}

// skip goes past messages that were given up.
func (it *item) skip() {
	for it.next < it.batch.Len() && it.lost.has(it.next) {
		it.next++
		it.at = it.batch.Start(it.next)
	}
}

// waits reports whether a message is still here, with nothing of it sent, or with a writer who may send it: the
// next flight bytes are.
func (it *item) waits(i, flight int) bool {
	return i >= it.next && !it.lost.has(i) && it.batch.Start(i) >= it.at+flight
}

// lose gives up a message that waits.
func (it *item) lose(i int) {
	it.lost = it.lost.with(i, it.batch.Len())
	it.left--
	it.size -= it.batch.Start(i+1) - it.batch.Start(i)
	if i == it.next {
		it.skip()
	}
}

// Of a batch that is at least spacious, what waits must be a fourth; otherwise it is copied, so that the memory
// held for a receiver is in proportion to what waits for it.
const (
	spacious = 1 << 10
	sparse   = 4
)

// pack lets the batch go if little of it waits. Nothing of the item may be sent or on its way.
func (it *item) pack() {
	b := it.batch
	if b.Held() <= spacious || it.size*sparse >= b.Held() || it.left == 0 || it.at != b.Start(it.next) {
		return
	}
	old := *it
	*it = itemAt(b.Pick(func(i int) bool { return i >= old.next && !old.lost.has(i) }), 0)
	it.page, it.rest, it.silent = old.page, old.rest, old.silent
}

// bitset is nil as long as it is empty.
type bitset []uint64

func (s bitset) has(i int) bool { return s != nil && s[i/64]>>(i%64)&1 != 0 }

// with is the set and i, which is below n. The set itself may be changed.
func (s bitset) with(i, n int) bitset {
	if s == nil {
		s = make(bitset, (n+63)/64)
	}
	s[i/64] |= 1 << (i % 64)
	return s
}
