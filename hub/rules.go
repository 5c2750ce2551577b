package hub

import (
	"errors"
	"fmt"
	"reflect"
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
	data     reflect.Type // of messages, for WriteTypeScript; nil if it is not known

	account frame.Account // of all its rooms
}

// RoomOption configures rooms; see WithRooms.
type RoomOption func(*rule) error

// History keeps the newest n messages of a room for at most ttl. Clients then resume without a loss, and new members
// can ask for the last few messages. HistoryBytes bounds the history further. By default rooms have no history. New
// returns an error if n or ttl is not positive, or if the broker has no history.
func History(n int, ttl time.Duration) RoomOption {
	return func(r *rule) error {
		if n <= 0 || ttl <= 0 {
			return fmt.Errorf("history of %d messages and %v: both must be positive", n, ttl)
		}
		r.Retention.Size, r.Retention.TTL = n, ttl
		return nil
	}
}

// HistoryBytes bounds a room's history in bytes, overhead included. The default is 16 MiB. Beyond it the oldest
// messages are dropped, and clients that ask for them get a gap. It needs History.
func HistoryBytes(n int64) RoomOption {
	return func(r *rule) error {
		if n <= 0 {
			return fmt.Errorf("history of %d bytes: it must be positive", n)
		}
		r.Retention.Bytes = n
		return nil
	}
}

// DefaultHistory is History(1000, 10*time.Minute). By default rooms have no history.
func DefaultHistory() RoomOption { return History(1000, 10*time.Minute) }

// Presence makes the members of a room known: clients can list them, and each member is told of joins and leaves.
// PresenceRate bounds how often. By default rooms have no presence. New returns an error if the broker has no presence.
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

// PresenceOption configures how members are told of joins and leaves; see Presence.
type PresenceOption func(*rule) error

// DefaultPresenceRate and DefaultPresenceBurst are the defaults of PresenceRate.
const (
	DefaultPresenceRate  = 50
	DefaultPresenceBurst = 100
)

// PresenceRate bounds how many join and leave events a second each member of a room is sent, with a burst. The default
// is 50 with a burst of 100. A member with more than 512 bytes of user and info counts once for each 512 bytes begun.
//
// Below the rate each event goes out at once. Above it events are gathered and sent twice a second, in their order. A
// member that has joined and left meanwhile is left out. If more than 10 s of events wait, members are told only their
// number, at most every 10 s, and have to ask for the list. This ends when the rate falls.
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

// PresenceCounts bounds the rooms in which members are told of each other: with more than n members, they are told only
// their number, at most every 10 s. By default PresenceRate alone bounds what they are told. Clients can still list the
// members, page by page. With n members or fewer, members are told of each other again. Each node asks the broker once
// for the number, when the first member of a room joins or leaves.
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

// rule returns a room's rule: the first whose pattern matches.
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
