// Package prometheus exports the metrics of a hub to Prometheus.
//
//	registry.MustRegister(prometheus.NewCollector(h))
//	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//
// docs/metrics.md lists every metric. Labels have a bounded number of values: reasons, close codes and the patterns
// of hub.WithRooms. They never contain names of rooms or users. Serve the metrics on an address that only your
// Prometheus can reach.
package prometheus

import (
	"github.com/gohubkit/hubkit/hub"
	"github.com/prometheus/client_golang/prometheus"
)

// Collector collects the metrics of a hub when Prometheus asks. Between two collections it does nothing. Its methods may be called
// from several goroutines.
type Collector struct {
	hub *hub.Hub
}

// NewCollector returns a Collector for a hub. To register the Collectors of several hubs, give each a label of its own with
// prometheus.WrapRegistererWith. It panics if the hub is nil.
func NewCollector(h *hub.Hub) *Collector {
	if h == nil {
		panic("prometheus: NewCollector: the hub is nil")
	}
	return &Collector{hub: h}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range all {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector. It does not block, and takes about 0.1 us of CPU for each connection.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := sample{Stats: c.hub.Stats(), conns: c.hub.SumConns(), ready: c.hub.Ready()}
	for _, m := range all {
		m.collect(&s, func(v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
		}, func(h hub.Histogram) {
			out <- histogram(m.desc, h)
		})
	}
}

// sample is what a collection is made of.
type sample struct {
	hub.Stats
	conns hub.ConnSums
	ready bool
}

// histogram translates a hub's histogram, whose buckets are not cumulative.
func histogram(desc *prometheus.Desc, h hub.Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.Bounds))
	sum := uint64(0)
	for i, n := range h.Counts {
		sum += uint64(max(n, 0))
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = sum
		}
	}
	return prometheus.MustNewConstHistogram(desc, sum, h.Sum, buckets)
}
