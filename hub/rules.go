package hub

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// rule is what WithRooms says of the rooms that match a pattern.
type rule struct {
	pattern   string
	retention broker.Retention
	presence  bool
	overflow  OverflowPolicy

	account frame.Account // of all its rooms
}

// RoomOption says what rooms are like; see WithRooms.
type RoomOption func(*rule) error

// History keeps the newest n messages of a room for at most ttl, so that clients resume without a loss
// and newcomers can ask for the last few. The broker must have the capability.
func History(n int, ttl time.Duration) RoomOption {
	return func(r *rule) error {
		if n <= 0 || ttl <= 0 {
			return fmt.Errorf("history of %d messages and %v: both must be positive", n, ttl)
		}
		r.retention = broker.Retention{Size: n, TTL: ttl}
		return nil
	}
}

// DefaultHistory is History(1000, 10*time.Minute).
func DefaultHistory() RoomOption { return History(1000, 10*time.Minute) }

// Presence makes known who is in a room: members are listed, and each hears of those that come and go.
// The broker must have the capability.
func Presence() RoomOption {
	return func(r *rule) error {
		r.presence = true
		return nil
	}
}

func newRule(pattern string, opts []RoomOption) (*rule, error) {
	r := &rule{pattern: pattern}
	var errs []error
	if pattern == "" {
		errs = append(errs, errors.New("the pattern is empty"))
	}
	for _, o := range opts {
		if o == nil {
			errs = append(errs, errors.New("nil RoomOption"))
		} else if err := o(r); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("rooms %q: %w", pattern, err)
	}
	return r, nil
}

// matchPattern reports whether name fits pattern, in which each * stands for any run of
// bytes, also none.
func matchPattern(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], next
	}
}

// rule of a room: the first pattern that matches.
func (h *Hub) rule(room string) *rule {
	for _, r := range h.conf.rules {
		if matchPattern(r.pattern, room) {
			return r
		}
	}
	return &h.unruled
}

// isOpen reports whether any client may join the room and publish in it.
func (h *Hub) isOpen(room string) bool {
	for _, p := range h.conf.open {
		if matchPattern(p, room) {
			return true
		}
	}
	return false
}
