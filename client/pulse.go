package client

import (
	"errors"
	"sync"
	"time"
)

// errStalled is what a connection ended with whose inbox was full for so long that the server must
// take it for dead: its pings were not read.
var errStalled = errors.New("client: callbacks too slow, inbox full for too long")

// pulse decides when to ping the server and when it is dead.
type pulse struct {
	interval, timeout time.Duration

	mu      sync.Mutex
	heard   time.Time // the last sign of life
	pinged  time.Time // the last ping; unanswered where it is after heard
	stalled bool      // nothing is read since heard
	sent    time.Time // when the last ping was written; zero once it is answered
}

func newPulse(interval, timeout time.Duration) *pulse {
	return &pulse{interval: interval, timeout: timeout, heard: time.Now()}
}

func (p *pulse) hear() {
	now := time.Now()
	p.mu.Lock()
	p.heard = now
	p.mu.Unlock()
}

// written says that a ping is about to be written.
func (p *pulse) written() {
	now := time.Now()
	p.mu.Lock()
	p.sent = now
	p.mu.Unlock()
}

// answered is hear for a pong. It returns how long after the ping it came, and false if it answers none.
func (p *pulse) answered() (trip time.Duration, ok bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = now
	if p.sent.IsZero() {
		return 0, false
	}
	trip, p.sent = now.Sub(p.sent), time.Time{}
	return trip, true
}

// stall says that the reader waits for the inbox and cannot hear the server.
func (p *pulse) stall() { p.set(true) }

func (p *pulse) resume() { p.set(false) }

func (p *pulse) set(stalled bool) {
	now := time.Now()
	p.mu.Lock()
	p.heard, p.stalled = now, stalled
	p.mu.Unlock()
}

// check returns when to check again, and whether to send a ping first.
func (p *pulse) check(now time.Time) (again time.Duration, ping bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	silent := now.Sub(p.heard)
	switch {
	case p.stalled:
		if again = p.interval + p.timeout - silent; again <= 0 {
			return 0, false, errStalled
		}
		return again, false, nil
	case p.pinged.After(p.heard):
		if again = p.timeout - now.Sub(p.pinged); again <= 0 {
			return 0, false, ErrDead
		}
		return again, false, nil
	case silent >= p.interval:
		p.pinged = now
		return p.timeout, true, nil
	default:
		return p.interval - silent, false, nil
	}
}
