package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

const (
	// loopAfter is how often a connection may fail for the same reason before it counts as a loop.
	loopAfter = 5
	// loopBase and loopCap bound how long a loop waits. The wait doubles with each turn.
	loopBase = 2 * time.Second
	loopCap  = 30 * time.Second
	// logInterval is how often the same reason is logged.
	logInterval = time.Minute
)

// loop keeps one of the broker's own connections coming back. It logs why the connection was lost, and notices when that is
// the same again and again though the server can be reached: then it slows down. It belongs to one goroutine.
type loop struct {
	what  string        // kind of the connection, for the log
	addr  func() string // where it goes, for the log
	log   *slog.Logger
	stats *stats
	tries *backoff.Sequence

	reason string
	times  int
	begun  time.Time
	logged time.Time
	told   bool // that the connection was lost
}

func (b *Broker) newLoop(what, addr string) *loop {
	return &loop{what: what, addr: func() string { return b.routes.dialed(addr) }, log: b.log, stats: &b.stats, tries: b.backoff.Start()}
}

// back notes that the connection is there again.
func (l *loop) back() {
	if l.told {
		l.log.Info("redis connection is back", "connection", l.what, "addr", l.addr(), "tries", l.times,
			"after", time.Since(l.begun).Round(time.Millisecond))
	}
	l.told = false
}

// progress notes that the connection does what it is for: the next failure is the first.
func (l *loop) progress() { l.times = 0 }

// again takes in why the connection was lost, or could not be made, and waits until the next try. It returns false if ctx
// has ended.
func (l *loop) again(ctx context.Context, err error) bool {
	l.tries.Disconnected()
	now := time.Now()
	reason := reasonOf(err)
	if l.times == 0 {
		l.begun = now
	}
	if reason != l.reason {
		l.reason, l.times, l.logged = reason, 0, time.Time{}
	}
	l.times++
	wait := time.Duration(0)
	if l.times >= loopAfter && isLoop(err) {
		wait = min(loopBase<<min(l.times-loopAfter, 10), loopCap)
		l.tries.Hint(wait/2, wait/2)
		l.stats.loops.Add(1)
	}
	if l.logged.IsZero() || now.Sub(l.logged) >= logInterval || l.times == loopAfter && wait > 0 {
		l.logged, l.told = now, true
		l.report(err, wait)
	}
	return l.tries.Wait(ctx) == nil
}

func (l *loop) report(err error, wait time.Duration) {
	level, args := slog.LevelWarn, []any{"connection", l.what, "addr", l.addr(), "err", err, "tries", l.times}
	switch conditionOf(err) {
	case locked, denied:
		level = slog.LevelError // an operator has to act
	}
	if wait > 0 {
		args = append(args, "slowed_down_to", wait)
	}
	l.log.Log(context.Background(), level, "redis connection lost", args...)
}

// isLoop tells whether trying less often makes sense: the server can be reached, and will say the same until somebody has
// changed something. A server that is gone, starting or no primary is waited for with the usual backoff.
func isLoop(err error) bool {
	switch conditionOf(err) {
	case replica, starting, elsewhere:
		return false
	case sound:
		_, answered := replyOf(err)
		return answered || errors.Is(err, errDesync) || errors.Is(err, errDeaf)
	}
	return true
}

// reasonOf is what an error has in common with others that have the same cause. Their texts may differ: ports of the
// connections are part of them.
func reasonOf(err error) string {
	if reply, ok := replyOf(err); ok {
		return codeOf(reply)
	}
	for _, known := range []error{errReplica, errSilent, errDesync, errDeaf, errLeft, errUnknownServer, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no.Error()
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Sprintf("%T %v", err, err)
}
