package hub

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// Stats is what a hub has done and is doing. Counters only grow.
type Stats struct {
	// Conns, Rooms and Users are on this node now. Rooms include those that were left a moment ago.
	Conns, Rooms, Users int

	// Accepted and Refused handshakes.
	Accepted, Refused int64
	// Closed connections, by close code; 1006 for those lost.
	Closed map[protocol.CloseCode]int64

	// Received messages from clients; Limited of them were beyond the rate limit and not counted in
	// Received, Invalid were no request of the protocol.
	Received, Limited, Invalid int64
	// Published messages of this node, clients' included; Degraded of them reached only its own connections. Duplicates were
	// recognized by their idempotency key, and are not in Published.
	Published, Degraded, Duplicates int64
	// Delivered, Dropped and Conflated count published messages, once for every member of the room on this node: each is one
	// of them in the end, or still waits. So if one node publishes, Published times members is their sum. Replayed of them
	// were read from the history; those that a client gets when it joins come on top. They are the sums of Rules.
	Delivered, Dropped, Conflated, Replayed int64
	// PresenceEvents tell a member who came and who left, and are in none of the figures above. They count when they are in
	// the socket.
	PresenceEvents int64
	// Rules has the figures for the rooms of each WithRooms, in its order, and last for all other rooms.
	Rules []RuleStats
	// Gaps in rooms with history, where messages were lost for good.
	Gaps int64
	// Corrupt messages from the broker, which are no JSON or too deeply nested: they reached nobody. Each time that one is read
	// from a history counts.
	Corrupt int64
	// IgnoredCommands of other nodes were none, or of a kind or version that this node does not know.
	IgnoredCommands int64
	// Panics of callbacks, and of what they return. A callback that calls runtime.Goexit counts too.
	Panics int64
	// Failures of callbacks to decide: errors that are no verdict on the client, as OnJoin describes them, and nil
	// pointers returned as errors.
	Failures int64
	// Evictions is what the broker has dropped before its time to stay within its bounds; zero where it does not know, as
	// with Redis, which has figures of its own.
	Evictions broker.Evictions
	// Stale is set while the broker cannot be reached.
	Stale bool

	// LogsLeftOut is how many log records were beyond five a second for one reason; see WithLogger.
	LogsLeftOut int64

	// Memory is about what connections keep beyond what an idle one needs.
	Memory MemoryStats

	// Admission is about the handshakes that the hub's bounds refuse.
	Admission AdmissionStats

	// Heartbeat and Pool are those packages' own; Pool is zero where no handler is heavy.
	Heartbeat heartbeat.Stats
	Pool      workerpool.Stats
}

type counters struct {
	accepted, refused, received, limited, invalid atomic.Int64
	published, degraded, duplicates               atomic.Int64
	panics, failures                              atomic.Int64
	stale                                         atomic.Bool

	mu    sync.Mutex
	codes map[protocol.CloseCode]int64
}

func (s *counters) closed(why error) {
	code := protocol.CloseAbnormal
	if ce, ok := errors.AsType[*CloseError](why); ok {
		code = ce.Code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.codes == nil {
		s.codes = make(map[protocol.CloseCode]int64)
	}
	s.codes[code]++
}

// Stats returns the hub's figures. They are read one after the other, not at one instant.
func (h *Hub) Stats() Stats {
	s := &h.stats
	roomStats := h.rooms.Stats()
	out := Stats{
		Conns:           h.conns.Len(),
		Rooms:           roomStats.Rooms,
		Users:           h.users.Len(),
		Accepted:        s.accepted.Load(),
		Refused:         s.refused.Load(),
		Closed:          make(map[protocol.CloseCode]int64),
		Received:        s.received.Load(),
		Limited:         s.limited.Load(),
		Invalid:         s.invalid.Load(),
		Published:       s.published.Load(),
		Degraded:        s.degraded.Load(),
		Duplicates:      s.duplicates.Load(),
		Gaps:            roomStats.Gaps,
		Corrupt:         roomStats.Corrupt,
		IgnoredCommands: h.nodes.Ignored(),
		Panics:          s.panics.Load(),
		Failures:        s.failures.Load(),
		Stale:           s.stale.Load(),
		LogsLeftOut:     h.logs.Dropped(),
		Memory:          h.memory.stats(),
		Admission:       h.admissionStats(),
		Heartbeat:       h.beats.Stats(),
	}
	if e, ok := h.broker.(broker.Evictor); ok {
		out.Evictions = e.Evictions()
	}
	for _, r := range append(slices.Clone(h.conf.rules), &h.unruled) {
		rs := r.stats()
		out.Delivered += rs.Delivered
		out.Dropped += rs.Dropped
		out.Conflated += rs.Conflated
		out.Replayed += rs.Replayed
		out.PresenceEvents += rs.PresenceEvents
		out.Rules = append(out.Rules, rs)
	}
	s.mu.Lock()
	maps.Copy(out.Closed, s.codes)
	s.mu.Unlock()
	h.poolMu.Lock()
	if h.pool != nil {
		out.Pool = h.pool.Stats()
	}
	h.poolMu.Unlock()
	return out
}
