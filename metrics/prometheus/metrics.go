package prometheus

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/prometheus/client_golang/prometheus"
)

// metric is one metric, and how it is read.
type metric struct {
	desc    *prometheus.Desc
	kind    prometheus.ValueType
	name    string
	collect func(s *sample, value func(v float64, labels ...string), distribution func(hub.Histogram))
}

// all are the metrics, in the order of docs/metrics.md.
var all = slices.Concat(connections, handshakes, messages, rooms, latencies, nodes, machine)

type read = func(s *sample) float64

type readMany = func(s *sample, value func(v float64, labels ...string))

func newMetric(name, help string, kind prometheus.ValueType, labels ...string) metric {
	name = "hubkit_" + name
	return metric{desc: prometheus.NewDesc(name, help, labels, nil), kind: kind, name: name}
}

func one(name, help string, kind prometheus.ValueType, f read) metric {
	m := newMetric(name, help, kind)
	m.collect = func(s *sample, value func(float64, ...string), _ func(hub.Histogram)) { value(f(s)) }
	return m
}

func gauge(name, help string, f read) metric   { return one(name, help, prometheus.GaugeValue, f) }
func counter(name, help string, f read) metric { return one(name, help, prometheus.CounterValue, f) }

func many(name, help string, kind prometheus.ValueType, labels []string, f readMany) metric {
	m := newMetric(name, help, kind, labels...)
	m.collect = func(s *sample, value func(float64, ...string), _ func(hub.Histogram)) { f(s, value) }
	return m
}

func gauges(name, help, label string, f readMany) metric {
	return many(name, help, prometheus.GaugeValue, []string{label}, f)
}

func counters(name, help, label string, f readMany) metric {
	return many(name, help, prometheus.CounterValue, []string{label}, f)
}

func distribution(name, help string, f func(s *sample) hub.Histogram) metric {
	m := newMetric(name, help, prometheus.UntypedValue)
	m.collect = func(s *sample, _ func(float64, ...string), distribution func(hub.Histogram)) { distribution(f(s)) }
	return m
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// codes are the close codes of connections that hubs and clients end by themselves. Each has a series from the start, since rate and
// increase do not see the first value of one that appears later.
var codes = []protocol.CloseCode{
	protocol.CloseNormal, protocol.CloseGoingAway, protocol.CloseProtocolError, protocol.CloseUnsupportedData, protocol.CloseNoStatus,
	protocol.CloseAbnormal, protocol.CloseInvalidPayload, protocol.CloseTooBig, protocol.CloseInternal, protocol.CloseServiceRestart,
	protocol.CloseTryAgainLater, protocol.CloseReconnect, protocol.CloseSlowConsumer, protocol.CloseHeartbeatTimeout,
	protocol.CloseRateLimited, protocol.CloseHandlerPanic, protocol.CloseHelloTimeout, protocol.CloseMaxAge, protocol.CloseIdle,
	protocol.CloseWriteTimeout, protocol.CloseTokenExpired, protocol.CloseUnauthorized, protocol.CloseForbidden,
	protocol.CloseDisconnected, protocol.CloseHelloExpected,
}

var connections = []metric{
	gauges("connections", "Connections of this node, by state.", "state", func(s *sample, value func(float64, ...string)) {
		value(float64(s.conns.Handshaking), "handshaking")
		value(float64(s.conns.Open), "open")
		value(float64(s.conns.Closing), "closing")
	}),
	many("connections_by_codec", "Connections of this node, by transport and codec.", prometheus.GaugeValue, []string{"transport", "codec"}, func(s *sample, value func(float64, ...string)) {
		for kind, n := range s.conns.Kinds {
			value(float64(n), kind.Transport, kind.Codec)
		}
	}),
	gauge("connections_limit", "How many connections the node admits at most: the maximum that is safe for the machine, or less if you set less; 0 means no bound.", func(s *sample) float64 { return float64(s.Admission.MaxConns) }),
	gauge("connections_replaying", "Connections that read a room from its history, because they were too slow for its messages.", func(s *sample) float64 { return float64(s.conns.Replaying) }),
	gauge("users", "Users with a connection to this node.", func(s *sample) float64 { return float64(s.Users) }),
	gauge("rooms", "Rooms with members on this node.", func(s *sample) float64 { return float64(s.Rooms) }),
	counters("connections_closed_total", "Closed connections, by close code; 1006 for lost ones.", "code", func(s *sample, value func(float64, ...string)) {
		for _, code := range codes {
			value(float64(s.Closed[code]), strconv.Itoa(int(code)))
		}
		for _, code := range slices.Sorted(maps.Keys(s.Closed)) {
			if code >= 1000 && code < 5000 && !slices.Contains(codes, code) {
				value(float64(s.Closed[code]), strconv.Itoa(int(code)))
			}
		}
	}),
	distribution("connection_backlog_messages", "Messages that wait for the socket of each connection now: a snapshot, not a sum over time.", func(s *sample) hub.Histogram { return s.conns.BacklogMessages }),
	distribution("connection_backlog_bytes", "Bytes that wait for the socket of each connection now: a snapshot, not a sum over time.", func(s *sample) hub.Histogram { return s.conns.BacklogBytes }),
}

var handshakes = []metric{
	counters("handshakes_total", "Handshakes, by result.", "result", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Accepted), "accepted")
		value(float64(s.Refused), "refused")
	}),
	counters("handshakes_refused_total", "Refused handshakes, by reason.", "reason", func(s *sample, value func(float64, ...string)) { refusals(s.Refusals, value) }),
	gauges("admission_waiting_clients", "Refused clients whose retry time has not come yet, by kind.", "kind", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Admission.WaitingResuming), "resuming")
		value(float64(s.Admission.WaitingNew), "new")
	}),
	counter("admission_resumed_total", "Admitted handshakes of clients with a valid resume ticket.", func(s *sample) float64 { return float64(s.Admission.Resumed) }),
	counter("admission_beyond_share_total", "Handshakes that exceeded the share of their address.", func(s *sample) float64 { return float64(s.Admission.BeyondShare) }),
	counters("admission_tickets_total", "Resume tickets that handshakes brought, by result.", "result", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Admission.ValidTickets), "valid")
		value(float64(s.Admission.InvalidTickets), "invalid")
		value(float64(s.Admission.ExpiredTickets), "expired")
	}),
	counter("admission_busy_verifiers_total", "Connections closed, and renewals put off, because too many tokens were being verified.", func(s *sample) float64 { return float64(s.Admission.BusyVerifiers) }),
	counters("posts_total", "Requests of Post that were carried out or refused, by result.", "result", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Posts.Accepted), "accepted")
		value(float64(s.Posts.Refused), "refused")
	}),
	counters("posts_refused_total", "Refused requests of Post, by reason.", "reason", func(s *sample, value func(float64, ...string)) { refusals(s.Posts.Refusals, value) }),
}

func refusals(by map[hub.RefusalReason]int64, value func(float64, ...string)) {
	for _, why := range slices.Sorted(maps.Keys(by)) {
		value(float64(by[why]), why.String())
	}
}

var messages = []metric{
	counters("messages_total", "Messages received from clients, and room messages and presence events sent to them.", "direction", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Received), "received")
		value(float64(s.Delivered+s.PresenceEvents), "sent")
	}),
	counters("bytes_total", "Bytes of messages received from clients, and all bytes sent to them, without TLS.", "direction", func(s *sample, value func(float64, ...string)) {
		value(float64(s.ReceivedBytes), "received")
		value(float64(s.SentBytes), "sent")
	}),
	counters("messages_rejected_total", "Messages of clients that were not handled, by reason.", "reason", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Limited), "rate_limited")
		value(float64(s.Invalid), "invalid")
	}),
	counter("published_messages_total", "Messages that this node has published.", func(s *sample) float64 { return float64(s.Published) }),
	counter("publish_duplicates_total", "Publications that were recognized by their idempotency key.", func(s *sample) float64 { return float64(s.Duplicates) }),
	counter("publish_degraded_total", "Publications that reached this node only, because the broker could not be reached.", func(s *sample) float64 { return float64(s.Degraded) }),
	counter("corrupt_messages_total", "Messages of the broker that are not JSON. They reached nobody.", func(s *sample) float64 { return float64(s.Corrupt) }),
}

// ofRules reads a figure of each rule of WithRooms. One may have the pattern "other": it is added to the rest.
func ofRules(name, help string, f func(r *hub.RuleStats) int64) metric {
	return many(name, help, prometheus.CounterValue, []string{"rule", "policy"}, func(s *sample, value func(float64, ...string)) {
		type key struct{ rule, policy string }
		sums, order := make(map[key]int64), []key(nil)
		for i := range s.Rules {
			r := &s.Rules[i]
			k := key{r.Pattern, strings.ReplaceAll(r.Overflow.String(), " ", "_")}
			if i == len(s.Rules)-1 {
				k.rule = "other"
			}
			if _, ok := sums[k]; !ok {
				order = append(order, k)
			}
			sums[k] += f(r)
		}
		for _, k := range order {
			value(float64(sums[k]), k.rule, k.policy)
		}
	})
}

var rooms = []metric{
	ofRules("room_messages_delivered_total", "Room messages delivered to a member's socket, by rule of WithRooms and overflow policy.", func(r *hub.RuleStats) int64 { return r.Delivered }),
	ofRules("room_messages_dropped_total", "Room messages that a member will not be sent, by rule and overflow policy.", func(r *hub.RuleStats) int64 { return r.Dropped }),
	ofRules("room_messages_conflated_total", "Room messages that a newer one has replaced in a member's backlog, by rule and overflow policy.", func(r *hub.RuleStats) int64 { return r.Conflated }),
	ofRules("room_messages_replayed_total", "Room messages that were read from the history for a member, by rule and overflow policy.", func(r *hub.RuleStats) int64 { return r.Replayed }),
	ofRules("presence_events_total", "Presence events delivered to a member's socket, by rule and overflow policy.", func(r *hub.RuleStats) int64 { return r.PresenceEvents }),
	counter("room_gaps_total", "Gaps in rooms with history: messages were lost for good, for the members on this node. A gap counts once for a room.", func(s *sample) float64 { return float64(s.Gaps) }),
	counters("room_recoveries_total", "Joins of a room with history that resumed from a position, by result: complete, or with a gap.", "result", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Recovered), "complete")
		value(float64(s.RecoveredWithGap), "gap")
	}),
	counters("history_evictions_total", "Entries that the broker dropped early to stay within its bounds, by kind.", "kind", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Evictions.Messages), "message")
		value(float64(s.Evictions.Rooms), "room")
		value(float64(s.Evictions.IdempotencyKeys), "idempotency_key")
	}),
	distribution("fanout_batch_messages", "Passes of a room over its members on this node, by how many messages each pass took.", func(s *sample) hub.Histogram { return s.Batches }),
}

var latencies = []metric{
	distribution("publish_latency_seconds", "Time from a publication on this node until it was sent to the members here, for 1 in 256.", func(s *sample) hub.Histogram { return s.Latency }),
	distribution("broker_publish_seconds", "Time until the broker had a publication of this node, for 1 in 256.", func(s *sample) hub.Histogram { return s.BrokerLatency }),
	distribution("heartbeat_round_trip_seconds", "Time from a ping to its pong; one ping at a time is measured.", func(s *sample) hub.Histogram { return s.RoundTrips }),
	counter("heartbeat_pings_total", "Pings sent to silent connections.", func(s *sample) float64 { return float64(s.Heartbeat.Pings) }),
	counter("heartbeat_expired_total", "Connections that did not answer a ping in time.", func(s *sample) float64 { return float64(s.Heartbeat.Expired) }),
	counter("heartbeat_revived_total", "Connections that were found alive though their answer was not read in time.", func(s *sample) float64 { return float64(s.Heartbeat.Revived) }),
	counter("heartbeat_lost_seconds_total", "Time for which the process did not run, and heartbeats did not count.", func(s *sample) float64 { return s.Heartbeat.Lost.Seconds() }),
}

var nodes = []metric{
	gauge("ready", "1 if the node takes connections and its broker reaches the other nodes, or need not.", func(s *sample) float64 { return flag(s.ready) }),
	gauge("broker_stale", "1 while the broker cannot be reached.", func(s *sample) float64 { return flag(s.Stale) }),
	gauges("broker_links", "Connections that the broker wants to its servers, by kind.", "kind", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Links.Subscribing), "subscribe")
		value(float64(s.Links.Publishing), "publish")
	}),
	gauges("broker_links_up", "Working connections of the broker to its servers, by kind.", "kind", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Links.SubscribingUp), "subscribe")
		value(float64(s.Links.PublishingUp), "publish")
	}),
	gauge("broker_unsubscribed_rooms", "Rooms with members here that have no subscription yet.", func(s *sample) float64 { return float64(s.Links.Unsubscribed) }),
	counters("broker_reconnects_total", "Connections of the broker that were lost or could not be made, by kind.", "kind", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Links.Reconnects), "subscribe")
		value(float64(s.Links.PublishReconnects), "publish")
	}),
	counter("broker_unwritable_total", "Times that a server of the broker was found to be gone, or to take no writes.", func(s *sample) float64 { return float64(s.Links.Unwritable) }),
	counter("broker_caught_up_messages_total", "Messages read from histories because no connection had brought them.", func(s *sample) float64 { return float64(s.Links.CaughtUp) }),
	counter("broker_gaps_total", "Times that the broker lost messages of a room with history for good.", func(s *sample) float64 { return float64(s.Links.Gaps) }),
	counter("broker_dropped_messages_total", "Messages without history that the broker dropped because this node was too slow.", func(s *sample) float64 { return float64(s.Links.Dropped) }),
	counter("broker_ignored_commands_total", "Commands of other nodes that this node does not know.", func(s *sample) float64 { return float64(s.IgnoredCommands) }),
}

var machine = []metric{
	gauge("pool_workers", "Heavy handlers that can run at once.", func(s *sample) float64 { return float64(s.Pool.Workers) }),
	gauges("pool_tasks", "Tasks of the worker pool, by state.", "state", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Pool.Running), "running")
		value(float64(s.Pool.Queued), "queued")
	}),
	counters("pool_tasks_total", "Tasks of the worker pool, by result.", "result", func(s *sample, value func(float64, ...string)) {
		value(float64(s.Pool.Completed), "completed")
		value(float64(s.Pool.Rejected), "rejected")
		value(float64(s.Pool.Dropped), "dropped")
		value(float64(s.Pool.Canceled), "canceled")
	}),
	seconds("pool_wait_seconds_total", "Time that tasks have waited for a worker.", func(s *sample) time.Duration { return s.Pool.WaitTotal }),
	seconds("pool_run_seconds_total", "Time that tasks have run.", func(s *sample) time.Duration { return s.Pool.RunTotal }),
	counter("callback_panics_total", "Panics of the application's callbacks.", func(s *sample) float64 { return float64(s.Panics) }),
	counter("callback_failures_total", "Callbacks that could not decide.", func(s *sample) float64 { return float64(s.Failures) }),
	counter("logs_left_out_total", "Log records left out: more than five a second for one reason.", func(s *sample) float64 { return float64(s.LogsLeftOut) }),
	gauge("memory_held_bytes", "Bytes that connections hold in addition to an idle connection's needs; 0 without a memory budget.", func(s *sample) float64 { return float64(s.Memory.Held) }),
	gauge("memory_budget_bytes", "Bound on hubkit_memory_held_bytes; 0 means none.", func(s *sample) float64 { return float64(s.Memory.Budget) }),
	counter("memory_shed_connections_total", "Connections closed because the memory budget was exceeded.", func(s *sample) float64 { return float64(s.Memory.Shed) }),
	gauge("descriptors_open", "File descriptors that the process has open; 0 if unknown.", func(s *sample) float64 { return float64(s.Descriptors.Open) }),
	gauge("descriptors_limit", "File descriptors that the process may have, its soft limit; 0 if unknown. hubkit_connections_limit is how many connections are safe.", func(s *sample) float64 { return float64(s.Descriptors.Limit) }),
}

func seconds(name, help string, f func(s *sample) time.Duration) metric {
	return counter(name, help, func(s *sample) float64 { return f(s).Seconds() })
}
