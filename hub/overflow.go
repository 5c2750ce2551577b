package hub

import (
	"fmt"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// OverflowPolicy says what becomes of a room's messages when a connection reads so slowly that its backlog is
// full; see Overflow and WithBacklog.
type OverflowPolicy uint8

const (
	// OverflowDisconnect closes the connection with 4001, so that its client comes back, and in a room with history gets
	// what it missed.
	OverflowDisconnect OverflowPolicy = iota
	// OverflowDropOldest drops the room's messages that have waited longest. It is for what grows stale.
	OverflowDropOldest
	// OverflowDropNewest drops messages for which there is no place. It is for rooms in which the beginning counts.
	OverflowDropNewest
	// OverflowConflate replaces a message that waits by a newer one with the same ConflationKey, which goes to the end;
	// messages without a key have the same one. It does so whenever something waits, so that a slow reader gets the latest
	// state and not the way to it. If even that is too much, it is OverflowDisconnect.
	OverflowConflate
	// OverflowReplay forgets what waits, and reads on from the room's history at the pace of the socket: the client gets
	// everything in order, as long as the history has it, and else a gap; the hub needs no more memory for one that
	// stalls for a minute than for one that stalls for a second. Meanwhile the write timeout does not
	// apply to the connection: the heartbeat decides whether it is alive.
	OverflowReplay
)

// String returns the policy's name in lower case.
func (p OverflowPolicy) String() string {
	switch p {
	case OverflowDisconnect:
		return "disconnect"
	case OverflowDropOldest:
		return "drop oldest"
	case OverflowDropNewest:
		return "drop newest"
	case OverflowConflate:
		return "conflate"
	case OverflowReplay:
		return "replay"
	}
	return fmt.Sprintf("OverflowPolicy(%d)", uint8(p))
}

// Overflow sets what becomes of the rooms' messages for a connection whose backlog is full. The default is
// OverflowDisconnect. Rooms with history promise every message in order. They have OverflowDisconnect or OverflowReplay,
// and OverflowReplay is for them only.
//
// A message that the socket has begun to take is always sent whole, and who joins and who leaves is never
// dropped: if that alone is too much, or what the connection is sent besides rooms, it is closed. To such
// frames, and to rooms with another policy, dropping rooms make way, and rooms with OverflowReplay fall back on their
// history.
func Overflow(p OverflowPolicy) RoomOption {
	return func(r *rule) error {
		if p > OverflowReplay {
			return fmt.Errorf("Overflow: unknown policy %d", uint8(p))
		}
		r.overflow = p
		return nil
	}
}

// faults of the rule's overflow policy.
func (r *rule) overflowFault() error {
	switch history := r.Retention.Enabled(); {
	case r.overflow == OverflowReplay && !history:
		return fmt.Errorf("rooms %q: OverflowReplay reads from the history: add History", r.pattern)
	case r.overflow != OverflowReplay && r.overflow != OverflowDisconnect && history:
		return fmt.Errorf("rooms %q: %s makes holes in what History promises: use OverflowReplay, or OverflowDisconnect", r.pattern, r.overflow)
	}
	return nil
}

// ConflationKey says what a message is the latest value of, in rooms with OverflowConflate. A newer message with the same
// key takes the place of one that still waits.
func ConflationKey(key string) PublishOption {
	return func(o *publishOptions) error {
		o.conflationKey = key
		return nil
	}
}

// overflows are the policies as the engine knows them.
var overflows = [...]frame.Overflow{
	OverflowDisconnect: frame.Disconnect,
	OverflowDropOldest: frame.DropOldest,
	OverflowDropNewest: frame.DropNewest,
	OverflowConflate:   frame.Conflate,
	OverflowReplay:     frame.Replay,
}

// source is what a room of the rule is to its members.
func (r *rule) source() frame.Source {
	return frame.Source{Account: &r.account, Overflow: overflows[r.overflow]}
}

// RuleStats is what became of the messages of all rooms that have a rule of WithRooms in common.
type RuleStats struct {
	// Pattern as given to WithRooms; empty for the rooms that none matches.
	Pattern  string
	Overflow OverflowPolicy
	// Delivered, Dropped and Conflated count each published message once for every member, when it is wholly in the socket,
	// will not be sent, or was replaced by a newer one; what is none of them waits. Replayed messages were read from the
	// history; they are Delivered or Dropped too.
	Delivered, Dropped, Conflated, Replayed int64
	// PresenceEvents are wholly in the socket: each counts once for every member that it was told.
	PresenceEvents int64
}

func (r *rule) stats() RuleStats {
	a := &r.account
	return RuleStats{
		Pattern:   r.pattern,
		Overflow:  r.overflow,
		Delivered: a.Delivered.Load(),
		Dropped:   a.Dropped.Load(),
		Conflated: a.Conflated.Load(),
		Replayed:  a.Replayed.Load(),

		PresenceEvents: a.Events.Load(),
	}
}

// ConnStats is what became of published messages on one connection, and what waits for it.
type ConnStats struct {
	// Delivered messages are wholly in the socket, Dropped ones will not be sent, Conflated ones were replaced by a
	// newer one. Presence events are in none of them.
	Delivered, Dropped, Conflated int64
	// BacklogMessages and BacklogBytes wait for the socket, replies and control frames too.
	BacklogMessages, BacklogBytes int
	// Replaying is how many rooms are read from their history, because the connection had no place for their
	// messages.
	Replaying int
}

// Stats returns the connection's figures, for the application's own judgement of a slow reader. After its end they
// are the last.
func (c *Conn) Stats() ConnStats {
	s := c.writer.Stats()
	return ConnStats{
		Delivered:       s.Delivered,
		Dropped:         s.Dropped,
		Conflated:       s.Conflated,
		BacklogMessages: s.Messages,
		BacklogBytes:    s.Bytes,
		Replaying:       s.Replaying,
	}
}
