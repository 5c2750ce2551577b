package admission

import (
	"hash/maphash"
	"time"
)

// company is how long an address counts after its last request: until then no other has the gate to itself.
const company = time.Minute

// shares tells which addresses come more often than their share. It does so in constant memory, however many there are:
// an address has a bucket in each row, by a secret hash, and is within its share if either has a token. With as
// many as 100 addresses beyond their share, an honest one is taken for such with a chance of one in 100.
type shares struct {
	rate, size float64 // of each address
	seed       maphash.Seed
	rows       [2][shareCells]shareCell

	last        uint64        // the address that came last
	other       time.Duration // when it was last another than the one before
	seen, mixed bool          // that there was one, and another
}

const shareCells = 1 << 10

type shareCell struct {
	tokens float64
	last   time.Duration
}

func newShares(rate float64, size int) *shares {
	s := &shares{rate: rate, size: float64(size), seed: maphash.MakeSeed()}
	for i := range s.rows {
		for j := range s.rows[i] {
			s.rows[i][j].tokens = s.size
		}
	}
	return s
}

// within takes a request of an address, and reports whether the address is within its share.
func (s *shares) within(now time.Duration, key uint64) bool {
	if key != s.last || !s.seen {
		s.mixed, s.seen = s.seen, true
		s.last, s.other = key, now
	}
	h := maphash.Comparable(s.seed, key)
	ok := false
	for i := range s.rows {
		c := &s.rows[i][h%shareCells]
		h >>= 32
		c.tokens = min(s.size, c.tokens+s.rate*(now-c.last).Seconds())
		c.last = now
		ok = ok || c.tokens >= 1
		c.tokens = max(0, c.tokens-1)
	}
	return ok
}

// alone reports whether all that came lately came from one address.
func (s *shares) alone(now time.Duration) bool { return !s.mixed || now-s.other > company }
