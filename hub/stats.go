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

// Stats has the figures of a hub. Counters only grow.
type Stats struct {
	// Conns, Rooms and Users are on this node now. Rooms include those that were left a moment ago.
	Conns, Rooms, Users int

	// Accepted and Refused count handshakes.
	Accepted, Refused int64
	// Closed counts the closed connections by close code; 1006 for those that were lost.
	Closed map[protocol.CloseCode]int64
	// Refusals counts the Refused handshakes by reason. It has every reason.
	Refusals map[RefusalReason]int64

	// Posts has the figures of the requests of Post.
	Posts PostStats

	// Received counts messages from clients, requests of Post included. Limited counts those above the rate limit,
	// which are not in Received. Invalid counts those that were not valid requests.
	Received, Limited, Invalid int64
	// ReceivedBytes are those of the Received messages: the larger of content and frames. SentBytes is all that sockets
	// have taken, control frames and handshakes included. What TLS adds is in neither.
	ReceivedBytes, SentBytes int64
	// Published counts the messages published on this node, clients' included. Degraded counts those of them that
	// reached only this node's connections. Duplicates counts the publications that their idempotency key has shown to
	// be repeated; they are not in Published.
	Published, Degraded, Duplicates int64
	// Delivered, Dropped and Conflated count published messages, once for every member of the room on this node. Each
	// message is one of them in the end, or still waits. So if one node publishes, their sum is Published times
	// members. Replayed counts those that were read from the history; messages that a client gets by joining come on
	// top. All are the sums of Rules.
	Delivered, Dropped, Conflated, Replayed int64
	// PresenceEvents counts the join and leave events that members were sent, when the socket has taken them. They are
	// in none of the figures above.
	PresenceEvents int64
	// Rules has the figures for the rooms of each WithRooms, in its order, and last for all other rooms.
	Rules []RuleStats
	// Gaps counts gaps in rooms with history, at which messages were lost for good for the members of this node. A gap counts once
	// for a room.
	Gaps int64
	// Recovered counts the joins that resumed from a position and missed nothing. RecoveredWithGap counts those that missed
	// messages for good: the history had dropped them, or was lost.
	Recovered, RecoveredWithGap int64
	// Corrupt counts messages from the broker that are not JSON or too deeply nested. They reach no client. A message
	// counts each time that it is read from a history.
	Corrupt int64
	// IgnoredCommands counts the commands of other nodes that were malformed, or of a kind or version that this node
	// does not know.
	IgnoredCommands int64
	// Panics counts the panics of callbacks, and of what they return. A callback that calls runtime.Goexit counts too.
	Panics int64
	// Failures counts the callbacks that failed to decide: their error is no verdict on the client, as OnJoin describes
	// it, or is a nil pointer.
	Failures int64
	// Evictions is what the broker has dropped early to stay within its bounds. It is zero if the broker does not know.
	// Redis is such a broker, and has figures of its own.
	Evictions broker.Evictions
	// Stale is set while the broker is unreachable.
	Stale bool

	// Batches has a value for each pass of a room over its members on this node: how many messages the pass delivered.
	Batches Histogram
	// Latency has a value for about one in 256 publications of this node to a room with members on it. It is the time
	// in seconds from the call of Publish until each of those members was sent the message. What a slow consumer's
	// socket does not take at once waits in its backlog, and does not count.
	Latency Histogram
	// BrokerLatency has a value for about one in 256 publications of this node: the time in seconds until the broker
	// had it. That includes the wait for a place in the room's queue.
	BrokerLatency Histogram
	// RoundTrips has the time in seconds from a ping to its pong. One ping at a time is measured.
	RoundTrips Histogram
	// Links has the figures of the broker's connections to its servers; zero if it has none.
	Links broker.Links
	// Descriptors has the figures of the process's file descriptors.
	Descriptors DescriptorStats

	// LogsLeftOut counts the log records that were left out because there were more than five a second for one reason;
	// see WithLogger.
	LogsLeftOut int64

	// Memory has the figures of the memory that connections take beyond what an idle one needs.
	Memory MemoryStats

	// Admission has the figures of the handshakes and of their bounds.
	Admission AdmissionStats

	// Heartbeat and Pool are those packages' own figures. Pool is zero if no handler is heavy.
	Heartbeat heartbeat.Stats
	Pool      workerpool.Stats
}

// PostStats has the figures of the requests of Post.
type PostStats struct {
	// Accepted counts the requests that were given to OnPublish or a handler, whatever the result.
	Accepted int64
	// Refused counts the requests that were refused because of their sender, or because of a bound on requests.
	// Refusals counts them by reason, and has every reason. Stats.Limited and Stats.Invalid count other requests. CORS
	// preflight requests count nowhere.
	Refused  int64
	Refusals map[RefusalReason]int64
}

type counters struct {
	accepted, received, limited, invalid atomic.Int64
	receivedBytes, handshaking, posted   atomic.Int64
	published, degraded, duplicates      atomic.Int64
	panics, failures                     atomic.Int64
	stale                                atomic.Bool

	refused, postsRefused refusalCounts

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

// Stats returns the hub's figures. They are read one after the other, not at one instant. It does not block.
func (h *Hub) Stats() Stats {
	s := &h.stats
	roomStats := h.rooms.Stats()
	out := Stats{
		Conns:           h.conns.Len(),
		Rooms:           roomStats.Rooms,
		Users:           h.users.Len(),
		Accepted:        s.accepted.Load(),
		Closed:          make(map[protocol.CloseCode]int64),
		Received:        s.received.Load(),
		ReceivedBytes:   s.receivedBytes.Load(),
		SentBytes:       h.sent.Bytes(),
		Latency:         inSeconds(h.histograms.latency),
		BrokerLatency:   inSeconds(h.histograms.brokered),
		RoundTrips:      inSeconds(h.histograms.roundTrips),
		Batches:         scaled(h.histograms.batches.Snapshot(), 1),
		Descriptors:     h.descriptorStats(),
		Limited:         s.limited.Load(),
		Invalid:         s.invalid.Load(),
		Published:       s.published.Load(),
		Degraded:        s.degraded.Load(),
		Duplicates:      s.duplicates.Load(),
		Gaps:            roomStats.Gaps,
		Corrupt:         roomStats.Corrupt,
		Recovered:       roomStats.Recovered,
		IgnoredCommands: h.nodes.Ignored(),
		Panics:          s.panics.Load(),
		Failures:        s.failures.Load(),
		Stale:           s.stale.Load(),
		LogsLeftOut:     h.logs.Dropped(),
		Memory:          h.memory.stats(),
		Admission:       h.admissionStats(),
		Heartbeat:       h.beats.Stats(),
	}
	out.RecoveredWithGap = roomStats.RecoveredWithGap
	out.Refusals, out.Refused = s.refused.all()
	out.Posts.Accepted = s.posted.Load()
	out.Posts.Refusals, out.Posts.Refused = s.postsRefused.all()
	if l, ok := h.broker.(broker.Linked); ok {
		out.Links = l.Links()
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
