package otel

import (
	"context"
	"errors"
	"fmt"

	"github.com/gohubkit/hubkit/hub"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// figure is one metric, and how it is read.
type figure struct {
	name, help, unit string
	gauge            bool // else a counter
	read             func(s *hub.Stats, o observe)
}

type observe = func(v int64, attrs ...attribute.KeyValue)

func gauge(name, unit, help string, f func(s *hub.Stats) int64) figure {
	return figure{name, help, unit, true, func(s *hub.Stats, o observe) { o(f(s)) }}
}

func counter(name, unit, help string, f func(s *hub.Stats) int64) figure {
	return figure{name, help, unit, false, func(s *hub.Stats, o observe) { o(f(s)) }}
}

// figures have attributes with a bounded number of values, and no names of rooms or users.
var figures = []figure{
	gauge("hubkit.connections", "{connection}", "Connections of this node.", func(s *hub.Stats) int64 { return int64(s.Conns) }),
	gauge("hubkit.users", "{user}", "Users with a connection to this node.", func(s *hub.Stats) int64 { return int64(s.Users) }),
	gauge("hubkit.rooms", "{room}", "Rooms with members on this node.", func(s *hub.Stats) int64 { return int64(s.Rooms) }),
	counter("hubkit.handshakes.accepted", "{handshake}", "Handshakes that became a connection.", func(s *hub.Stats) int64 { return s.Accepted }),
	{"hubkit.handshakes.refused", "Refused handshakes, by reason.", "{handshake}", false, func(s *hub.Stats, o observe) {
		for why, n := range s.Refusals {
			o(n, attribute.String("reason", why.String()))
		}
	}},
	{"hubkit.messages.rejected", "Messages of clients that were not handled, by reason.", "{message}", false, func(s *hub.Stats, o observe) {
		o(s.Limited, attribute.String("reason", "rate_limited"))
		o(s.Invalid, attribute.String("reason", "invalid"))
	}},
	counter("hubkit.messages.received", "{message}", "Messages received from clients.", func(s *hub.Stats) int64 { return s.Received }),
	counter("hubkit.messages.published", "{message}", "Messages that this node has published.", func(s *hub.Stats) int64 { return s.Published }),
	counter("hubkit.messages.delivered", "{message}", "Published messages, once for each member that was sent them.", func(s *hub.Stats) int64 { return s.Delivered }),
	counter("hubkit.messages.dropped", "{message}", "Messages that a slow consumer was not sent.", func(s *hub.Stats) int64 { return s.Dropped }),
	counter("hubkit.messages.conflated", "{message}", "Messages that a newer one has replaced for a slow consumer.", func(s *hub.Stats) int64 { return s.Conflated }),
	counter("hubkit.network.received", "By", "Bytes of messages received from clients.", func(s *hub.Stats) int64 { return s.ReceivedBytes }),
	counter("hubkit.network.sent", "By", "Bytes that sockets have taken, without TLS.", func(s *hub.Stats) int64 { return s.SentBytes }),
	counter("hubkit.gaps", "{gap}", "Gaps in rooms with history.", func(s *hub.Stats) int64 { return s.Gaps }),
	counter("hubkit.callbacks.panics", "{panic}", "Panics of callbacks.", func(s *hub.Stats) int64 { return s.Panics }),
	counter("hubkit.callbacks.failures", "{failure}", "Callbacks that failed to decide.", func(s *hub.Stats) int64 { return s.Failures }),
	gauge("hubkit.broker.stale", "1", "1 while the broker cannot be reached.", func(s *hub.Stats) int64 {
		if s.Stale {
			return 1
		}
		return 0
	}),
}

// RegisterMetrics makes a meter read the hub's figures. It reads them when the meter's reader asks, and costs the hub
// nothing in between. Module metrics/prometheus has more figures, distributions among them. Unregister the returned
// registration before you register the same hub again.
func RegisterMetrics(m metric.Meter, h *hub.Hub) (metric.Registration, error) {
	if m == nil || h == nil {
		return nil, errors.New("otel: RegisterMetrics: the meter or the hub is nil")
	}
	var faults []error
	all := make([]metric.Int64Observable, len(figures))
	asked := make([]metric.Observable, len(figures))
	for i, f := range figures {
		var err error
		if f.gauge {
			all[i], err = m.Int64ObservableGauge(f.name, metric.WithDescription(f.help), metric.WithUnit(f.unit))
		} else {
			all[i], err = m.Int64ObservableCounter(f.name, metric.WithDescription(f.help), metric.WithUnit(f.unit))
		}
		asked[i] = all[i]
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("otel: RegisterMetrics: %w", err)
	}
	node := attribute.String("node", h.Node())
	return m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := h.Stats()
		for i, f := range figures {
			f.read(&s, func(v int64, attrs ...attribute.KeyValue) {
				o.ObserveInt64(all[i], v, metric.WithAttributes(append(attrs, node)...))
			})
		}
		return nil
	}, asked...)
}
