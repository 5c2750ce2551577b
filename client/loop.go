package client

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"time"
)

const (
	// loopAfter is how many connections in a row may end in the same way, without progress, before the client slows down.
	loopAfter = 5
	// loopLasting is how long a connection lasts that counts as progress.
	loopLasting = 30 * time.Second
	// loopFirst and loopMost bound the wait before the next try.
	loopFirst = 5 * time.Second
	loopMost  = 5 * time.Minute
)

// loop notices that connections end one after the other for one reason: a server may name a delay each time, which
// takes the place of the backoff, and the client would come back at that pace for ever.
type loop struct {
	reason string
	times  int
}

// note is told how a welcomed connection has ended.
func (p *loop) note(why error, progress bool) {
	reason := reasonOf(why)
	if reason != p.reason || progress {
		p.reason, p.times = reason, 0
	}
	if reason != "" && !progress {
		p.times++
	}
}

// reasonOf names how a connection ended, in the same words each time. It is empty if the network took it: the
// backoff is made for that.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*CloseError](err); ok {
		return strconv.Itoa(int(e.Code))
	}
	switch {
	case errors.Is(err, errGoAway):
		return "goaway"
	case errors.Is(err, ErrProtocol):
		return err.Error()
	}
	return ""
}

// least is the shortest wait before the next try, zero unless there is a loop.
func (p *loop) least() time.Duration {
	if p.times < loopAfter {
		return 0
	}
	d := min(loopFirst<<min(p.times-loopAfter, 10), loopMost)
	return d/2 + rand.N(d/2+1)
}
