package redis

import (
	"sync"

	"github.com/gohubkit/hubkit/broker"
)

// state decides between Live and Stale: the node is Live while every link is up and caught up, every room is
// subscribed to on its link, and every server may be written to. Changes are told in order, from one goroutine.
type state struct {
	mu         sync.Mutex
	recovering map[*link]bool
	adrift     int
	sick       map[*breaker]bool // their servers may not be written to
	current    broker.State
	told       []broker.State // to be told
	wake       chan struct{}
}

func newState() *state {
	return &state{recovering: make(map[*link]bool), sick: make(map[*breaker]bool), wake: make(chan struct{}, 1)}
}

func (s *state) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	now := broker.Live
	if len(s.recovering) > 0 || s.adrift > 0 || len(s.sick) > 0 {
		now = broker.Stale
	}
	if now == s.current {
		return
	}
	s.current = now
	s.told = append(s.told, now)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *state) lost(l *link)      { s.change(func() { s.recovering[l] = true }) }
func (s *state) recovered(l *link) { s.change(func() { delete(s.recovering, l) }) }
func (s *state) drift(n int)       { s.change(func() { s.adrift += n }) }

// healthy notes whether a server may be written to, and tells whether that is new.
func (s *state) healthy(b *breaker, well bool) (changed bool) {
	s.change(func() {
		if changed = s.sick[b] == well; well {
			delete(s.sick, b)
		} else {
			s.sick[b] = true
		}
	})
	return changed
}

// behind is how many links are not up and caught up, and how many rooms are not subscribed to.
func (s *state) behind() (links, rooms int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.recovering), s.adrift
}

// drifting tells whether a room is not subscribed to.
func (s *state) drifting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.adrift > 0
}

// tell calls the receiver with each change until stop is closed.
func (s *state) tell(stop <-chan struct{}, r broker.Receiver) {
	for {
		select {
		case <-stop:
			return
		case <-s.wake:
		}
		s.mu.Lock()
		changes := s.told
		s.told = nil
		s.mu.Unlock()
		for _, c := range changes {
			r.StateChanged(c)
		}
	}
}
