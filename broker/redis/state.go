package redis

import (
	"sync"

	"github.com/gohubkit/hubkit/broker"
)

// state decides between Live and Stale: the node is Live while every link is settled and every room is
// subscribed to on its link. Changes are told in order, from one goroutine.
type state struct {
	mu        sync.Mutex
	unsettled map[*link]bool
	adrift    int
	current   broker.State
	told      []broker.State // to be told
	wake      chan struct{}
}

func newState() *state {
	return &state{unsettled: make(map[*link]bool), wake: make(chan struct{}, 1)}
}

func (s *state) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	now := broker.Live
	if len(s.unsettled) > 0 || s.adrift > 0 {
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

func (s *state) lost(l *link)    { s.change(func() { s.unsettled[l] = true }) }
func (s *state) settled(l *link) { s.change(func() { delete(s.unsettled, l) }) }
func (s *state) drift(n int)     { s.change(func() { s.adrift += n }) }

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
