package hub

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// rule is what WithRooms says of the rooms that match a pattern.
type rule struct {
	rooms.Rule
	pattern  string
	overflow OverflowPolicy

	account frame.Account // of all its rooms
}

// RoomOption says what rooms are like; see WithRooms.
type RoomOption func(*rule) error

// History keeps the newest n messages of a room for at most ttl, so that clients resume without a loss
// and newcomers can ask for the last few. HistoryBytes bounds them further. The broker must have the capability.
func History(n int, ttl time.Duration) RoomOption {
	return func(r *rule) error {
		if n <= 0 || ttl <= 0 {
			return fmt.Errorf("history of %d messages and %v: both must be positive", n, ttl)
		}
		r.Retention.Size, r.Retention.TTL = n, ttl
		return nil
	}
}

// HistoryBytes bounds what the history of a room may take, in bytes: messages and what it takes to keep them. The default
// is 16 MiB. Beyond it the oldest are dropped, which is a gap for who asks for them. It needs History.
func HistoryBytes(n int64) RoomOption {
	return func(r *rule) error {
		if n <= 0 {
			return fmt.Errorf("history of %d bytes: it must be positive", n)
		}
		r.Retention.Bytes = n
		return nil
	}
}

// DefaultHistory is History(1000, 10*time.Minute).
func DefaultHistory() RoomOption { return History(1000, 10*time.Minute) }

// Presence makes known who is in a room: members are listed, and each hears of those that come and go. PresenceRate
// bounds how often. The broker must have the capability.
func Presence(opts ...PresenceOption) RoomOption {
	return func(r *rule) error {
		r.Presence = true
		r.setPresenceRate(DefaultPresenceRate, DefaultPresenceBurst)
		if err := errors.Join(setAll(r, opts)...); err != nil {
			return fmt.Errorf("Presence: %w", err)
		}
		return nil
	}
}

// PresenceOption says how presence is told; see Presence.
type PresenceOption func(*rule) error

// The defaults of PresenceRate.
const (
	DefaultPresenceRate  = 50
	DefaultPresenceBurst = 100
)

// PresenceRate bounds how many join and leave events a second each member of a room is sent, with a burst. The default is
// 50 with a burst of 100. A member with more than 512 bytes of user and info counts once for each 512 bytes begun.
//
// Below the rate each event goes out at once. Above it events are gathered and told twice a second, in their order. A
// member that came and went meanwhile is not told at all. If more than 10 s of events wait, members are told only how
// many they are, at most every 10 s, and have to ask for the list; this ends when the room is calm.
func PresenceRate(perSecond, burst int) PresenceOption {
	return func(r *rule) error {
		if perSecond <= 0 || burst <= 0 {
			return fmt.Errorf("PresenceRate: %d a second with a burst of %d: both must be positive", perSecond, burst)
		}
		r.setPresenceRate(perSecond, burst)
		return nil
	}
}

func (r *rule) setPresenceRate(perSecond, burst int) {
	r.Changes.Limit, r.Changes.Burst = rate.New(float64(perSecond), burst), burst
}

// PresenceCounts has the members of a room with more than n members told only how many they are, at most every 10 s. By default
// only PresenceRate bounds what they are told. Clients can still ask for the members, page by page. When the room has n members
// or fewer, they are told of each again. Each node asks the broker once for the number, when the first member of a room comes or
// goes.
func PresenceCounts(n int) PresenceOption {
	return func(r *rule) error {
		if n <= 0 {
			return fmt.Errorf("PresenceCounts: %d is not positive", n)
		}
		r.Changes.Counts = n
		return nil
	}
}

func newRule(pattern string, opts []RoomOption) (*rule, error) {
	r := &rule{pattern: pattern}
	var errs []error
	if pattern == "" {
		errs = append(errs, errors.New("the pattern is empty"))
	}
	errs = append(errs, setAll(r, opts)...)
	if r.Retention.Bytes > 0 && !r.Retention.Enabled() {
		errs = append(errs, errors.New("HistoryBytes without History"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("rooms %q: %w", pattern, err)
	}
	r.Source = r.source()
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
