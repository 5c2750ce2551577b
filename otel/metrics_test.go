package otel_test

import (
	"context"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	hubotel "github.com/gohubkit/hubkit/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TestMetrics: the meter's reader gets the hub's counters.
func TestMetrics(t *testing.T) {
	n := serve(t)
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	registered, err := hubotel.RegisterMetrics(provider.Meter("test"), n.Hub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Publish(t.Context(), "a", []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int64)
	for _, m := range all.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
			for _, p := range sum.DataPoints {
				found[m.Name] += p.Value
			}
		}
	}
	if got, ok := found["hubkit.messages.published"]; !ok || got != 1 {
		t.Errorf("hubkit.messages.published is %d, want 1; all: %v", got, found)
	}
	if err := registered.Unregister(); err != nil {
		t.Error(err)
	}
	if _, err := hubotel.RegisterMetrics(nil, n.Hub); err == nil {
		t.Error("a nil meter was taken")
	}
}

// BenchmarkStart is what a Tracer takes for a request's two spans with OpenTelemetry's SDK: not sampled, and sampled but not
// exported.
func BenchmarkStart(b *testing.B) {
	for _, tc := range []struct {
		name    string
		sampler sdktrace.Sampler
	}{{"unsampled", sdktrace.NeverSample()}, {"sampled", sdktrace.AlwaysSample()}} {
		b.Run(tc.name, func(b *testing.B) {
			tracer, err := hubotel.New(hubotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(tc.sampler)))))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				ctx, request := tracer.Start(context.Background(), hub.SpanStart{Kind: hub.SpanRequest, Name: "call"})
				_, handler := tracer.Start(ctx, hub.SpanStart{Kind: hub.SpanHandler, Name: "add"})
				if request != nil {
					handler.End(hub.SpanEnd{})
					request.End(hub.SpanEnd{})
				}
			}
		})
	}
}
