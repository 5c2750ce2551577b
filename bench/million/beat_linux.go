package main

import (
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
}

// run beats for as long as the process is there.
func (b *beater) run() {
	b.began = time.Now()
	for range time.Tick(b.every / beatRounds) {
		b.crowd.client.Do(0, b.beat)
	}
}

// beat is called on the client's loop. Nobody's turn is left out because the loop comes late.
func (b *beater) beat() {
	conns := b.crowd.spec.Conns
	due := int(time.Since(b.began).Seconds() / b.every.Seconds() * float64(conns))
	for b.done = max(b.done, due-conns); b.done < due; b.done++ {
		if i := b.done % conns; b.crowd.follow.beats(i) {
			b.crowd.client.Send(i, wsload.Pong, nil)
		}
	}
}
