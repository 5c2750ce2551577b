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

// Next returns how long to wait before the next try, and counts it. The delay is never negative. It is at most the cap.
// Only a hint can make it longer.
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

// Wait calls Next and blocks for the delay. It then returns nil. When ctx is done, it returns context.Cause(ctx) at once.
func (s *Sequence) Wait(ctx context.Context) error { return sleep(ctx, s.Next()) }

// Hint sets when the server wants the next try. The next delay is after + U(0, spread), once, also if that is above the
// cap. It counts as an attempt, and the formula continues after it. A hint replaces an unused one. A negative argument
// counts as zero.
func (s *Sequence) Hint(after, spread time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hinted, s.after, s.spread = true, max(after, 0), max(spread, 0)
}

// Connected says that a try succeeded. It drops an unused hint, which was about an earlier connection. It does not start
// the sequence anew: only a connection that lasts does.
func (s *Sequence) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hinted = false
	s.connected, s.since = true, time.Now()
}

// Disconnected says that the connection was lost. If it lasted for the policy's reset time, the sequence starts anew. A
// hint received meanwhile is kept. A call that follows no Connected does nothing.
func (s *Sequence) Disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected && time.Since(s.since) >= s.policy.resetAfter {
		s.attempt, s.prev = 0, s.policy.base
	}
	s.connected = false
}

// Attempt returns how many delays Next has returned since the sequence started, or started anew.
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
