// Package otel records a hub's spans and figures with OpenTelemetry. It is a module of its own, so that a service
// without it does not depend on OpenTelemetry.
//
//	tracer, err := otel.New()
//	...
//	h, err := hub.New(hub.WithTracer(tracer))
//
// The W3C trace context that a message carries joins the spans of a publication over nodes. Module otel reads and
// writes that context itself: it needs no global propagator.
package otel
