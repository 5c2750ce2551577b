package main

import (
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/wsload"
)

// beatRounds is how many times in between those clients beat whose time has come: many at once, as the hubs' ticks have it
// too, because each process that is woken takes more than a packet does.
const beatRounds = 24

// beater has each client send a pong, unasked, once in every so often: RFC 6455, section 5.5.3, has it for a heartbeat
// that goes in one direction. The hub pings whom it has not heard from for its interval, and so only those who are late.
type beater struct {
	crowd *Crowd
	every time.Duration
	began time.Time
	done  int // the clients take turns
	ended atomic.Bool
}

// beatSlice is how many beat before the loop looks after what has come: on a machine that is at its limit beats would
// otherwise keep the answers to pings waiting.
const beatSlice = 128

// run beats until it has ended.
func (b *beater) run() {
	b.began = time.Now()
	more := make(chan bool, 1)
	for range time.Tick(b.every / beatRounds) {
		if b.ended.Load() {
			return
		}
		for again := true; again; again = <-more {
			b.crowd.client.Do(0, func() {
				again := b.beat()
				more <- again
			})
		}
	}
}

// beat is called on the client's loop, and reports whether more are due. Nobody's turn is left out because the loop comes late.
func (b *beater) beat() bool {
	conns := b.crowd.spec.Conns
	due := int(time.Since(b.began).Seconds() / b.every.Seconds() * float64(conns))
	b.done = max(b.done, due-conns)
	for end := min(due, b.done+beatSlice); b.done < end; b.done++ {
		if i := b.done % conns; b.crowd.follow.beats(i) {
			b.crowd.client.Send(i, wsload.Pong, nil)
		}
	}
	return b.done < due
}
