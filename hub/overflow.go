package hub

import (
	"fmt"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// OverflowPolicy says how the hub treats a room's messages for a slow consumer, whose backlog is full; see Overflow and
// WithBacklog.
type OverflowPolicy uint8

const (
	// OverflowDisconnect closes the connection with 4001. The client reconnects, and in a room with history gets what
	// it missed.
	OverflowDisconnect OverflowPolicy = iota
	// OverflowDropOldest drops the room's messages that have waited longest. Use it for data that becomes stale.
	OverflowDropOldest
	// OverflowDropNewest drops the messages that do not fit. Use it if the first messages count.
	OverflowDropNewest
	// OverflowConflate replaces a waiting message by a newer one with the same ConflationKey, which goes to the end.
	// Messages without a key share one. It does so whenever a message waits, so that a slow consumer gets the latest
	// state and skips those before. If the backlog still overflows, it acts as OverflowDisconnect.
	OverflowConflate
	// OverflowReplay removes the room's messages from the backlog, and reads them from the room's history instead, at
	// the pace of the socket. The client gets all messages in order, or a gap if the history no longer has them. The
	// hub's memory does not grow with the length of the stall. Meanwhile the write timeout does not apply to the
	// connection: the heartbeat decides whether it is alive.
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

// Overflow sets how the hub treats the rooms' messages for a slow consumer, whose backlog is full. The default is
// OverflowDisconnect. Rooms with history promise every message in order, so they allow OverflowDisconnect and
// OverflowReplay alone. OverflowReplay needs History.
//
// A partly sent message is always completed. Presence events are never dropped. If they alone overflow the backlog, or
// if frames outside rooms do, the connection is closed. Rooms that drop make way for such frames and for rooms with
// another policy. Rooms with OverflowReplay then fall back on their history.
func Overflow(p OverflowPolicy) RoomOption {
	return func(r *rule) error {
		if p > OverflowReplay {
			return fmt.Errorf("Overflow: unknown policy %d", uint8(p))
		}
		r.overflow = p
		return nil
	}
}

// overflowFault returns what is wrong with the rule's overflow policy.
func (r *rule) overflowFault() error {
	switch history := r.Retention.Enabled(); {
	case r.overflow == OverflowReplay && !history:
		return fmt.Errorf("rooms %q: OverflowReplay reads from the history: add History", r.pattern)
	case r.overflow != OverflowReplay && r.overflow != OverflowDisconnect && history:
		return fmt.Errorf("rooms %q: %s drops messages that History promises: use OverflowReplay or OverflowDisconnect", r.pattern, r.overflow)
	}
	return nil
}

// ConflationKey names the value that a message updates, in rooms with OverflowConflate. A newer message with the same
// key replaces one that still waits. The default is the empty key.
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

// RuleStats has the figures of all rooms that share a rule of WithRooms.
type RuleStats struct {
	// Pattern is as given to WithRooms; empty for the rooms that no pattern matches.
	Pattern  string
	Overflow OverflowPolicy
	// Delivered, Dropped and Conflated count each published message once for every member: when it is wholly in the
	// socket, when it is dropped, or when a newer one replaces it. A message that is none of them waits. Replayed
	// messages were read from the history, and are Delivered or Dropped too.
	Delivered, Dropped, Conflated, Replayed int64
	// PresenceEvents counts each presence event once for every member, when it is wholly in the socket.
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

// ConnStats has the figures of one connection: its traffic, the fate of published messages on it, and its backlog.
type ConnStats struct {
	// ReceivedBytes and SentBytes are the bytes on the wire, the handshake's answer included. They include the headers
	// of WebSocket frames and control frames, compressed data as it is sent, and the bytes of an event stream. TLS
	// comes on top. Received bytes count when they are read, and sent ones when the socket has taken them.
	ReceivedBytes, SentBytes int64
	// ReceivedMessages are all messages of the client, those beyond the rate limit and pings of the protocol included.
	// SentMessages are wholly in the socket: messages of rooms, answers, and all else that the client is sent.
	// WebSocket control frames, the comments that keep an event stream alive, and the end of a stream are no messages.
	ReceivedMessages, SentMessages int64
	// Delivered messages are wholly in the socket. Dropped ones will not be sent. Conflated ones were replaced by a
	// newer one. Presence events are in none of them.
	Delivered, Dropped, Conflated int64
	// BacklogMessages and BacklogBytes are the backlog, replies and control frames included.
	BacklogMessages, BacklogBytes int
	// Replaying is how many rooms are read from their history, because the backlog had no place for their messages.
	Replaying int
}

// Stats returns the connection's figures. With them an application can treat slow consumers itself. It does not block.
// After the connection's end it returns the last figures.
func (c *Conn) Stats() ConnStats {
	s := c.writer.Stats()
	return ConnStats{
		ReceivedBytes:    int64(c.traffic.bytes.Load()),
		ReceivedMessages: int64(c.traffic.messages.Load()),
		SentBytes:        int64(s.SentBytes),
		SentMessages:     int64(s.SentMessages),

		Delivered:       s.Delivered,
		Dropped:         s.Dropped,
		Conflated:       s.Conflated,
		BacklogMessages: s.Messages,
		BacklogBytes:    s.Bytes,
		Replaying:       s.Replaying,
	}
}
