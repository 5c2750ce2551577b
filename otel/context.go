package otel

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/client"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

var w3c propagation.TraceContext

// spanContext reads a trace context; the zero SpanContext is none.
func spanContext(t broker.Trace) trace.SpanContext {
	if t.Parent == "" {
		return trace.SpanContext{}
	}
	carrier := propagation.MapCarrier{"traceparent": t.Parent, "tracestate": t.State}
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), carrier))
}

// traceOf writes a trace context; zero if there is none.
func traceOf(sc trace.SpanContext) broker.Trace {
	if !sc.IsValid() {
		return broker.Trace{}
	}
	carrier := make(propagation.MapCarrier, 2)
	w3c.Inject(trace.ContextWithSpanContext(context.Background(), sc), carrier)
	return broker.Trace{Parent: carrier["traceparent"], State: carrier["tracestate"]}
}

func ofHeader(h http.Header) broker.Trace {
	if parents := h["Traceparent"]; len(parents) == 1 {
		return broker.Trace{Parent: parents[0], State: strings.Join(h["Tracestate"], ",")}
	}
	return broker.Trace{}
}

// ClientTrace makes a publication of the Go client part of the span in ctx. If ctx has no span, it changes nothing.
func ClientTrace(ctx context.Context) client.PublishOption {
	t := traceOf(trace.SpanContextFromContext(ctx))
	if t.Parent == "" {
		return nothing
	}
	return client.Trace(t.Parent, t.State)
}

// ContextOf returns ctx with the span of a message's publication as the parent of later spans. m is the Meta of a
// client's message, and may be nil. Use it for a message that one client acts on. If many clients act on it, each
// starts its own trace with LinkTo: a tree of thousands of receivers is unreadable.
func ContextOf(ctx context.Context, m *client.Meta) context.Context {
	if sc := ofMeta(m); sc.IsValid() {
		return trace.ContextWithRemoteSpanContext(ctx, sc)
	}
	return ctx
}

// LinkTo returns a link to the span of a message's publication. m is the Meta of a client's message, and may be nil:
// the link is then empty, and OpenTelemetry omits it.
func LinkTo(m *client.Meta) trace.Link { return trace.Link{SpanContext: ofMeta(m)} }

func ofMeta(m *client.Meta) trace.SpanContext {
	if m == nil {
		return trace.SpanContext{}
	}
	return spanContext(broker.Trace{Parent: m.TraceParent, State: m.TraceState})
}

// nothing is an option that changes nothing.
func nothing[T any](*T) error { return nil }

const (
	maxAttribute = 128  // bytes
	maxMessage   = 1024 // bytes of an error's text
)

func cut(s string) string { return cutTo(s, maxAttribute) }

// cutTo shortens s to at most so many bytes, and to valid UTF-8.
func cutTo(s string, most int) string {
	if len(s) > most {
		for s = s[:most]; s != ""; s = s[:len(s)-1] {
			if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size > 1 {
				break
			}
		}
	}
	return strings.ToValidUTF8(s, "�")
}
