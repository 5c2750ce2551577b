package otel

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// scope is the name of the instrumentation.
const scope = "github.com/gohubkit/hubkit/otel"

// Tracer records spans of a hub's operations. It is a hub.Tracer, and may serve several hubs.
type Tracer struct {
	conf   config
	tracer trace.Tracer
	rate   rate
}

var _ hub.Tracer = (*Tracer)(nil)

// New returns a Tracer for hub.WithTracer. The error reports every faulty option.
func New(opts ...Option) (*Tracer, error) {
	c := config{provider: otel.GetTracerProvider(), deliveries: 100}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("option %d is nil", i))
		} else {
			faults = append(faults, o(&c))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("otel: %w", err)
	}
	return &Tracer{conf: c, tracer: c.provider.Tracer(scope), rate: rate{perSecond: c.deliveries}}, nil
}

// Start implements hub.Tracer.
func (t *Tracer) Start(ctx context.Context, s hub.SpanStart) (context.Context, hub.Span) {
	if s.Kind == hub.SpanDelivery && !t.rate.take() {
		return ctx, nil
	}
	ctx, opts := t.parent(ctx, s)
	ctx, inner := t.tracer.Start(ctx, name(s), append(opts, trace.WithSpanKind(kind(s.Kind)))...)
	if !inner.IsRecording() {
		return ctx, nil
	}
	x := &span{Span: inner, tracer: t}
	x.describe(s)
	return ctx, x
}

// parent says what a span descends from, or is linked to.
func (t *Tracer) parent(ctx context.Context, s hub.SpanStart) (context.Context, []trace.SpanStartOption) {
	var opts []trace.SpanStartOption
	if !s.Began.IsZero() {
		opts = append(opts, trace.WithTimestamp(s.Began))
	}
	fromClient := s.FromClient
	told := s.Trace
	if s.Request != nil {
		told, fromClient = ofHeader(s.Request.Header), true
	}
	remote := spanContext(told)
	local := trace.SpanContextFromContext(ctx)
	switch {
	case !remote.IsValid(), remote.SpanID() == local.SpanID():
	case local.IsValid() && remote.TraceID() == local.TraceID():
		// Middleware has begun a span for the request, or OnPublish has named one of its own.
		if s.Kind == hub.SpanPublish && local.IsSampled() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, remote)
		}
	case local.IsValid(), fromClient && !t.conf.trusted:
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: remote}))
	default:
		ctx = trace.ContextWithRemoteSpanContext(ctx, remote)
	}
	return ctx, opts
}

// name is one of few: neither clients nor rooms add to it.
func name(s hub.SpanStart) string {
	switch s.Kind {
	case hub.SpanHandshake:
		return "hubkit handshake"
	case hub.SpanPost:
		return "hubkit post"
	case hub.SpanRequest:
		if s.Name == "" {
			return "hubkit request"
		}
		return "hubkit request " + s.Name
	case hub.SpanHandler:
		return "hubkit handler " + cut(s.Name)
	case hub.SpanPublish:
		return "hubkit publish"
	case hub.SpanBroker:
		return "hubkit broker"
	case hub.SpanDelivery:
		return "hubkit deliver"
	}
	return "hubkit"
}

func kind(k hub.SpanKind) trace.SpanKind {
	switch k {
	case hub.SpanHandshake, hub.SpanPost, hub.SpanRequest:
		return trace.SpanKindServer
	case hub.SpanPublish:
		return trace.SpanKindProducer
	case hub.SpanBroker:
		return trace.SpanKindClient
	case hub.SpanDelivery:
		return trace.SpanKindConsumer
	case hub.SpanHandler:
	}
	return trace.SpanKindInternal
}

// The attributes of spans.
const (
	keySystem    = attribute.Key("messaging.system")
	keyOperation = attribute.Key("messaging.operation.name")
	keyRoom      = attribute.Key("messaging.destination.name")
	keyUser      = attribute.Key("user.id")
	keyError     = attribute.Key("error.type")
	keyStatus    = attribute.Key("http.response.status_code")
	keyConn      = attribute.Key("hubkit.connection.id")
	keyMethod    = attribute.Key("hubkit.handler.method")
	keyQueued    = attribute.Key("hubkit.handler.queue_time")
)

// span is a span that is recorded.
type span struct {
	trace.Span
	tracer *Tracer
}

func (x *span) describe(s hub.SpanStart) {
	attrs := make([]attribute.KeyValue, 0, 6)
	attrs = append(attrs, keySystem.String("hubkit"))
	switch s.Kind {
	case hub.SpanRequest:
		attrs = append(attrs, keyOperation.String(s.Name))
	case hub.SpanPublish, hub.SpanBroker:
		attrs = append(attrs, keyOperation.String("publish"))
	case hub.SpanDelivery:
		attrs = append(attrs, keyOperation.String("deliver"))
	case hub.SpanHandler:
		attrs = append(attrs, keyMethod.String(cut(s.Name)))
		if s.Queued > 0 {
			attrs = append(attrs, keyQueued.Float64(s.Queued.Seconds()))
		}
	case hub.SpanHandshake, hub.SpanPost:
	}
	if s.Room != "" && x.tracer.conf.rooms {
		attrs = append(attrs, keyRoom.String(cut(s.Room)))
	}
	x.SetAttributes(append(attrs, x.tracer.conn(s.Conn)...)...)
}

// conn describes a connection; nil is none.
func (t *Tracer) conn(c *hub.Conn) []attribute.KeyValue {
	if c == nil {
		return nil
	}
	attrs := []attribute.KeyValue{keyConn.String(cut(c.ID()))}
	if t.conf.users {
		if user := c.Identity().User; user != "" {
			attrs = append(attrs, keyUser.String(cut(user)))
		}
	}
	return attrs
}

// Trace implements hub.Span.
func (x *span) Trace() broker.Trace { return traceOf(x.SpanContext()) }

// End implements hub.Span. A fault of the client has an error type, and is no error of the span: a trace is no place for an
// alarm that clients can ring.
func (x *span) End(e hub.SpanEnd) {
	attrs := x.tracer.conn(e.Conn)
	if e.Status != 0 {
		attrs = append(attrs, keyStatus.Int(e.Status))
	}
	why := reason(e)
	if why != "" {
		attrs = append(attrs, keyError.String(why))
	}
	x.SetAttributes(attrs...)
	if ours(e) {
		x.SetStatus(codes.Error, why)
	}
	if e.Err != nil {
		x.AddEvent("exception", trace.WithAttributes(
			attribute.String("exception.type", typeOf(e.Err)),
			attribute.String("exception.message", cutTo(e.Err.Error(), maxMessage))))
	}
	x.Span.End()
}

// reason is why a span did not succeed; empty if it did.
func reason(e hub.SpanEnd) string {
	switch {
	case e.Panicked:
		return "panic"
	case e.Code == "" && e.Err != nil:
		return string(protocol.CodeInternal)
	}
	return cut(e.Code)
}

// ours reports whether a span failed because of the service, and not because of what the client asked for.
func ours(e hub.SpanEnd) bool {
	switch {
	case e.Panicked:
		return true
	case e.Status != 0:
		return e.Status >= http.StatusInternalServerError
	case e.Code == "":
		return e.Err != nil
	}
	switch protocol.ErrorCode(e.Code) {
	case protocol.CodeInternal, protocol.CodeUnavailable, protocol.CodeBusy:
		return true
	}
	return false
}

// typeOf names the type of what the application returned.
func typeOf(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}
