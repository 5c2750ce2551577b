package dash

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/preflight"
)

// stats are the figures of a node. Counters only grow while the node lives. Durations are in seconds, and sizes in bytes.
type stats struct {
	Conns struct {
		Handshaking int `json:"handshaking"`
		Open        int `json:"open"`
		Closing     int `json:"closing"`
		Replaying   int `json:"replaying"`
		// Max is the bound in force; zero without one.
		Max int `json:"max"`
	} `json:"conns"`
	Accepted int64 `json:"accepted"`
	Refused  int64 `json:"refused"`

	MessagesIn  int64 `json:"messages_in"`
	BytesIn     int64 `json:"bytes_in"`
	BytesOut    int64 `json:"bytes_out"`
	Published   int64 `json:"published"`
	Delivered   int64 `json:"delivered"`
	Dropped     int64 `json:"dropped"`
	Conflated   int64 `json:"conflated"`
	Replayed    int64 `json:"replayed"`
	RateLimited int64 `json:"rate_limited"`
	Degraded    int64 `json:"degraded"`
	Gaps        int64 `json:"gaps"`
	Panics      int64 `json:"panics"`

	BacklogMessages int64 `json:"backlog_messages"`
	BacklogBytes    int64 `json:"backlog_bytes"`
	// SlowConns have a backlog.
	SlowConns int64 `json:"slow_conns"`

	Latency       quantiles `json:"latency"`
	BrokerLatency quantiles `json:"broker_latency"`
	RoundTrips    quantiles `json:"round_trips"`

	Broker links `json:"broker"`
	Pool   struct {
		Workers  int   `json:"workers"`
		Running  int   `json:"running"`
		Queued   int   `json:"queued"`
		Rejected int64 `json:"rejected"`
	} `json:"pool"`
	Admission struct {
		WaitingResuming int   `json:"waiting_resuming"`
		WaitingNew      int   `json:"waiting_new"`
		RateLimited     int64 `json:"rate_limited"`
		AtCapacity      int64 `json:"at_capacity"`
	} `json:"admission"`
	Memory struct {
		// Held is what connections keep beyond what an idle one needs, of Budget that they may. Heap is the process's.
		Held   int64  `json:"held"`
		Budget int64  `json:"budget"`
		Shed   int64  `json:"shed"`
		Heap   uint64 `json:"heap"`
	} `json:"memory"`
	Descriptors struct {
		Open  int `json:"open"`
		Limit int `json:"limit"`
	} `json:"descriptors"`
	Goroutines int `json:"goroutines"`
	// Limits are those of the operating system that bound connections.
	Limits limits `json:"limits"`
}

// limits is what package preflight finds now. SafeConns counts on top of what is open; -1 is unlimited, and -2 unknown.
type limits struct {
	SafeConns int     `json:"safe_conns"`
	Binding   string  `json:"binding,omitempty"`
	Limits    []limit `json:"limits"`
}

type limit struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Used   int    `json:"used"`
	Allows int    `json:"allows"`
	Unit   string `json:"unit"`
}

// quantiles are bounds of a histogram's buckets: half of the values are at most P50. All are zero while there is no value.
type quantiles struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	// Counts are the values of each bucket, so that quantiles of a span of time can be computed. Bounds are the buckets' largest values; one
	// more bucket has no bound.
	Bounds []float64 `json:"bounds"`
	Counts []int64   `json:"counts"`
}

func quantilesOf(h hub.Histogram) quantiles {
	q := quantiles{Count: h.Count(), Bounds: h.Bounds, Counts: h.Counts}
	if q.Count > 0 {
		q.Mean = h.Sum / float64(q.Count)
		q.P50, q.P90, q.P99 = quantile(h, 0.5), quantile(h, 0.9), quantile(h, 0.99)
	}
	return q
}

// quantile is the bound of the bucket that a quantile is in. Beyond the last bound it is that bound.
func quantile(h hub.Histogram, q float64) float64 {
	rest := q * float64(h.Count())
	for i, n := range h.Counts {
		if rest -= float64(n); rest <= 0 && n > 0 || i == len(h.Bounds)-1 {
			return h.Bounds[min(i, len(h.Bounds)-1)]
		}
	}
	return 0
}

// stats looks at the hub, and at each of its connections, which takes about 0.1 us for each.
func (d *Dash) stats() *stats {
	s, sums := d.hub.Stats(), d.hub.SumConns()
	out := &stats{
		Accepted: s.Accepted, Refused: s.Refused,
		MessagesIn: s.Received, BytesIn: s.ReceivedBytes, BytesOut: s.SentBytes,
		Published: s.Published, Delivered: s.Delivered, Dropped: s.Dropped, Conflated: s.Conflated, Replayed: s.Replayed,
		RateLimited: s.Limited, Degraded: s.Degraded, Gaps: s.Gaps, Panics: s.Panics,
		BacklogMessages: int64(sums.BacklogMessages.Sum), BacklogBytes: int64(sums.BacklogBytes.Sum),
		SlowConns: sums.BacklogBytes.Count() - sums.BacklogBytes.Counts[0],
		Latency:   quantilesOf(s.Latency), BrokerLatency: quantilesOf(s.BrokerLatency), RoundTrips: quantilesOf(s.RoundTrips),
		Goroutines: runtime.NumGoroutine(),
		Limits:     d.limits.get(),
	}
	c := &out.Conns
	c.Handshaking, c.Open, c.Closing, c.Replaying, c.Max = sums.Handshaking, sums.Open, sums.Closing, sums.Replaying, s.Admission.MaxConns
	out.Broker = linksOf(s.Stale, s.Links)
	p := &out.Pool
	p.Workers, p.Running, p.Queued, p.Rejected = s.Pool.Workers, s.Pool.Running, s.Pool.Queued, s.Pool.Rejected
	a := &out.Admission
	a.WaitingResuming, a.WaitingNew, a.RateLimited, a.AtCapacity = s.Admission.WaitingResuming, s.Admission.WaitingNew,
		s.Admission.RateLimited, s.Admission.AtCapacity
	m := &out.Memory
	m.Held, m.Budget, m.Shed, m.Heap = s.Memory.Held, s.Memory.Budget, s.Memory.Shed, heap()
	out.Descriptors.Open, out.Descriptors.Limit = s.Descriptors.Open, s.Descriptors.Limit
	return out
}

// links is the state of the broker. Its connections are zero for one that has none.
type links struct {
	Stale         bool  `json:"stale"`
	Subscribing   int   `json:"subscribing"`
	SubscribingUp int   `json:"subscribing_up"`
	Publishing    int   `json:"publishing"`
	PublishingUp  int   `json:"publishing_up"`
	Unsubscribed  int   `json:"unsubscribed"`
	Reconnects    int64 `json:"reconnects"`
}

func linksOf(stale bool, l broker.Links) links {
	return links{
		Stale: stale, Subscribing: l.Subscribing, SubscribingUp: l.SubscribingUp, Publishing: l.Publishing, PublishingUp: l.PublishingUp,
		Unsubscribed: l.Unsubscribed, Reconnects: l.Reconnects + l.PublishReconnects,
	}
}

// heap is how many bytes of the heap live objects take.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// limitsFor is how long what is known of limits holds. To look at them, open descriptors are counted one by one.
const limitsFor = 30 * time.Second

// limitsCache has the limits of a moment ago.
type limitsCache struct {
	mu   sync.Mutex
	at   time.Time
	last limits
}

func (c *limitsCache) get() limits {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) >= limitsFor {
		c.last, c.at = limitsNow(), time.Now()
	}
	return c.last
}

// limitsNow looks at the limits of the operating system.
func limitsNow() limits {
	report, err := preflight.Check()
	if err != nil { // of options, and there is none
		return limits{SafeConns: preflight.Unknown, Limits: []limit{}}
	}
	out := limits{SafeConns: report.SafeConns, Binding: report.Binding, Limits: make([]limit, 0, len(report.Limits))}
	for _, l := range report.Limits {
		if l.Counts == preflight.Connections {
			out.Limits = append(out.Limits, limit{Name: l.Name, Value: l.Value, Used: l.Used, Allows: l.Allows, Unit: l.Unit})
		}
	}
	return out
}
