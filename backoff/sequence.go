package backoff

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"
)

// Sequence is what one connection remembers between tries. Its methods may be called from several
// goroutines and, [Sequence.Wait] aside, do not block.
type Sequence struct {
	policy *Policy
	rng    *rand.Rand // nil: the global source

	mu      sync.Mutex
	attempt int
	prev    time.Duration

	hinted        bool
	after, spread time.Duration

	connected bool
	since     time.Time
}

// Start begins a sequence: what one connection remembers between tries.
func (p *Policy) Start() *Sequence {
	s := &Sequence{policy: p, prev: p.base}
	if p.seeded {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], p.seed)
		binary.LittleEndian.PutUint64(seed[8:], p.starts.Add(1))
		s.rng = rand.New(rand.NewChaCha8(seed))
	}
	return s
}

// Next returns how long to wait before the next try, and counts it. It never returns less than zero,
// and no more than the cap unless a hint said so.
func (s *Sequence) Next() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.attempt
	s.attempt++
	if s.hinted {
		s.hinted = false
		return add(s.after, s.upTo(s.spread))
	}
	if n == 0 && s.policy.first > 0 {
		return s.upTo(s.policy.first)
	}
	lo, hi := s.policy.bounds(n, s.prev)
	d := lo + s.upTo(hi-lo)
	s.prev = d
	return d
}

// Wait blocks for the delay that Next returns. It returns nil then, or context.Cause(ctx) as soon as ctx is done.
func (s *Sequence) Wait(ctx context.Context) error { return sleep(ctx, s.Next()) }

// Hint says when the server wants to be tried again: the next delay is after + U(0, spread), once, in
// place of the formula's and without regard to the cap. It counts as an attempt; the formula goes
// on behind it. The latest hint replaces an unused one. What is negative counts as zero.
func (s *Sequence) Hint(after, spread time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hinted, s.after, s.spread = true, max(after, 0), max(spread, 0)
}

// Connected says that a try succeeded. It forgets an unused hint, which was about an earlier
// connection, and nothing else: only a connection that lasts starts the sequence anew.
func (s *Sequence) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hinted = false
	s.connected, s.since = true, time.Now()
}

// Disconnected says that the connection was lost. If it had lasted for the policy's reset time, the
// sequence starts anew; a hint received meanwhile is kept. Without a Connected before it, it
// does nothing.
func (s *Sequence) Disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected && time.Since(s.since) >= s.policy.resetAfter {
		s.attempt, s.prev = 0, s.policy.base
	}
	s.connected = false
}

// Attempt returns how many delays were given since the sequence started, or started anew.
func (s *Sequence) Attempt() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempt
}

// upTo draws U(0, d).
func (s *Sequence) upTo(d time.Duration) time.Duration {
	n := uint64(d) + 1
	if s.rng != nil {
		return time.Duration(s.rng.Uint64N(n))
	}
	return time.Duration(rand.Uint64N(n))
}

func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
