package redis

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/internal/resp"
)

// health tells the broker's state and the log whether a server may be written to.
type health struct {
	b       *Broker
	addr    string
	breaker *breaker
	begun   time.Time // of what lasts
	at      condition
	logged  seldom
}

// told takes in what asking the server has brought. The breaker calls it from one goroutine at a time.
func (h *health) told(err error) {
	changed := h.b.state.healthy(h.breaker, err == nil)
	log := h.b.log.With("addr", h.b.routes.dialed(h.addr))
	if err == nil {
		if changed {
			log.Info("redis can be written to again", "after", time.Since(h.begun).Round(time.Millisecond))
		}
		return
	}
	if changed {
		h.begun = time.Now()
		h.b.stats.unwritable.Add(1)
	}
	at := conditionOf(err)
	if due := h.logged.due(time.Now()); due || changed || at != h.at {
		level := slog.LevelWarn
		if at == locked || at == denied {
			level = slog.LevelError // an operator has to act
		}
		log.Log(h.b.ctx, level, "redis cannot be written to", "err", err)
	}
	h.at = at
}

// seldom tells whether something is to be logged again.
type seldom struct {
	mu   sync.Mutex
	last time.Time
}

func (s *seldom) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < logInterval {
		return false
	}
	s.last = now
	return true
}

// condition is what an error says of the server that it came from.
type condition int

const (
	sound     condition = iota // nothing: the error is about one command
	elsewhere                  // another server has the slot, or none has it now
	replica                    // it takes no writes, and what is published there reaches few
	starting                   // it takes no commands yet
	locked                     // it does not accept the credentials
	denied                     // its user may not use a command, a key or a channel
	full                       // it takes no writes for want of memory, of a working disk or of replicas
)

// conditions has the codes of error replies that are about more than one command.
var conditions = map[string]condition{
	"MOVED": elsewhere, "ASK": elsewhere, "TRYAGAIN": elsewhere, "CLUSTERDOWN": elsewhere,
	"READONLY": replica,
	"LOADING":  starting, "MASTERDOWN": starting, "BUSY": starting,
	"NOAUTH": locked, "WRONGPASS": locked,
	"NOPERM": denied,
	"OOM":    full, "MISCONF": full, "NOREPLICAS": full,
}

// conditionOf classifies an error. It is the only place that knows what the codes mean.
func conditionOf(err error) condition {
	if errors.Is(err, errReplica) {
		return replica
	}
	reply, ok := replyOf(err)
	if !ok {
		return sound
	}
	if c, ok := conditions[codeOf(reply)]; ok {
		return c
	}
	if strings.Contains(reply, "ACL failure in script") || strings.Contains(reply, "The user executing the script can't") {
		return denied
	}
	return sound
}

// replyOf is the error reply that an error is or wraps.
func replyOf(err error) (reply string, ok bool) {
	if e, ok := errors.AsType[resp.Error](err); ok {
		return string(e), true
	}
	if e, ok := errors.AsType[*rueidis.RedisError](err); ok && !e.IsNil() {
		return e.Error(), true
	}
	return "", false
}

// codeOf is the first word of an error reply. Redis 6.2 puts the reply to a command of a script behind words of its own.
func codeOf(reply string) string {
	if strings.HasPrefix(reply, "ERR Error running script") {
		if _, inner, ok := strings.Cut(reply, ": -"); ok {
			reply = inner
		}
	}
	code, _, _ := strings.Cut(reply, " ")
	return code
}

// isElsewhere tells whether an answer says that a slot is not here, or not now.
func isElsewhere(err error) bool {
	return slices.Contains([]condition{elsewhere, starting}, conditionOf(err))
}

// isChannelDenied tells whether a subscription was refused for the channels that it names, and not altogether.
func isChannelDenied(err error) bool {
	reply, _ := replyOf(err)
	return conditionOf(err) == denied && strings.Contains(reply, "channel")
}

// blocks tells whether an error that asking a server has brought says that no command must be sent to it. A server that only
// takes no writes still answers the others.
func blocks(err error) bool {
	switch conditionOf(err) {
	case full, denied:
		return false
	}
	return true
}
