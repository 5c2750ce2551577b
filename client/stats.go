package client

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// Stats are the figures of a client. They are plain data, which encoding/json encodes as it is. Counters only grow.
type Stats struct {
	// Status is Connecting, Connected, Stale, Live, Disconnected or Closed. It may be newer than the last call of OnState.
	// Before Run it is Disconnected.
	Status Status `json:"status"`
	// Conn and Node are the IDs of the connection and of its node. They are empty if there is no connection.
	Conn string `json:"conn,omitempty"`
	Node string `json:"node,omitempty"`

	// Connects counts how often the server has welcomed the client. Reconnects counts these except the first. Failures
	// counts the attempts to connect that failed.
	Connects   int64 `json:"connects"`
	Reconnects int64 `json:"reconnects"`
	Failures   int64 `json:"failures"`

	// MessagesIn and MessagesOut count the frames of the protocol on all connections, in text or binary. They do not count
	// pings, pongs and close frames.
	MessagesIn  int64 `json:"messages_in"`
	MessagesOut int64 `json:"messages_out"`
	// BytesIn and BytesOut count the bytes that all connections have read and written, as they are sent: compressed, and
	// including handshakes and what proxies say. They do not count what TLS adds.
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`

	// RoundTrip is the time between the last answered ping and its pong, in nanoseconds in JSON. Before the first pong it is
	// zero. It includes the time in which a full inbox kept the client from reading. The client pings only a silent
	// server: see WithHeartbeat.
	RoundTrip time.Duration `json:"round_trip"`

	// Rooms are the rooms of the client's subscriptions and those that the server has put it into, sorted. The server may
	// not have let the client into all of them: see Subscription.Ready.
	Rooms []string `json:"rooms"`

	// Queued is the number of requests that wait to be sent. Unanswered is the number of those that were sent. QueuedBytes
	// is the size of both.
	Queued      int `json:"queued"`
	QueuedBytes int `json:"queued_bytes"`
	Unanswered  int `json:"unanswered"`
}

// counters are what Stats shows. They are counted where things happen, by any goroutine.
type counters struct {
	status                                     atomic.Int32
	connects, failures                         atomic.Int64
	messagesIn, messagesOut, bytesIn, bytesOut atomic.Int64
	roundTrip                                  atomic.Int64
}

// Stats returns the client's figures. They are read one after the other, not at one instant. It does not block.
// Callbacks may call it, and it works before Run and after it.
func (c *Client) Stats() Stats {
	n := &c.counters
	s := Stats{
		Status:      Status(n.status.Load()),
		Connects:    n.connects.Load(),
		Failures:    n.failures.Load(),
		MessagesIn:  n.messagesIn.Load(),
		MessagesOut: n.messagesOut.Load(),
		BytesIn:     n.bytesIn.Load(),
		BytesOut:    n.bytesOut.Load(),
		RoundTrip:   time.Duration(n.roundTrip.Load()),
	}
	s.Reconnects = max(0, s.Connects-1)
	c.mu.Lock()
	if l := c.live; l != nil {
		s.Conn, s.Node = l.state.Conn, l.state.Node
	}
	rooms := make(map[string]bool, len(c.subs)+len(c.given))
	for room := range c.subs {
		rooms[room] = true
	}
	for room := range c.given {
		rooms[room] = true
	}
	s.Queued, s.QueuedBytes, s.Unanswered = c.queue.stats()
	c.mu.Unlock()
	s.Rooms = slices.AppendSeq(make([]string, 0, len(rooms)), maps.Keys(rooms))
	slices.Sort(s.Rooms)
	return s
}

// became notes what has happened to the connection.
func (n *counters) became(s Status) {
	if s == Connected {
		n.connects.Add(1)
	}
	if s != Dropped {
		n.status.Store(int32(s))
	}
}

// stats tells how many of the application's requests wait to be sent and to be answered, and how large all of them are.
func (q *queue) stats() (queued, bytes, unanswered int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.sent {
		if r.counted() {
			unanswered++
		}
	}
	return q.len - unanswered, q.bytes, unanswered
}
