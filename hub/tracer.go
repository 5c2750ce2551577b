package hub

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// Tracer receives spans of what the hub does. Module otel has one for OpenTelemetry. Its methods are called from
// several goroutines, and must not block. The hub logs and counts a panic, and loses only that span.
type Tracer interface {
	// Start begins a span under the one in ctx, if there is one. It returns the context for what is done within the
	// span: callbacks get its values. If the span is not recorded, Start returns a nil Span and a context that says so
	// to the spans under it.
	Start(ctx context.Context, s SpanStart) (context.Context, Span)
}

// Span is an operation of the hub with a beginning and an end.
type Span interface {
	// Trace returns the span's W3C trace context, which messages then carry. The zero Trace is none.
	Trace() broker.Trace
	// End ends the span. The hub calls it once.
	End(e SpanEnd)
}

// SpanKind says which operation a span covers.
type SpanKind uint8

const (
	// SpanHandshake is an HTTP request until it becomes a connection or is refused.
	SpanHandshake SpanKind = iota
	// SpanPost is a request of Hub.Post.
	SpanPost
	// SpanRequest is a frame of a client until it is answered. A call of a Heavy handler begins when the frame has come.
	SpanRequest
	// SpanHandler is a call of a handler that Handle or OnMessage has set.
	SpanHandler
	// SpanPublish is a publication by a client or the service, until the broker has it. The message carries its Trace.
	SpanPublish
	// SpanBroker is the part of a publication that waits for the broker.
	SpanBroker
	// SpanDelivery is the delivery of a message from the broker, until a pass has sent it to the room's members on this
	// node. Only messages with a sampled trace context have one. At most 128 are under way at a time.
	SpanDelivery
)

// SpanStart describes a span. Fields that do not apply are zero.
type SpanStart struct {
	Kind SpanKind
	// Name is the op of a SpanRequest: one of protocol v1, or empty if the frame cannot be read. For a SpanHandler it
	// is the method that Handle has set, or OnMessage.
	Name string
	// Room is the name of the room. Clients may choose it.
	Room string
	// Conn is the connection that the span belongs to; nil if there is none.
	Conn *Conn
	// Request is the request of a SpanHandshake or SpanPost.
	Request *http.Request
	// Trace is the trace context that came with the publication or the message.
	Trace broker.Trace
	// FromClient is set if a client sent Trace. Do not trust it: a client may say that each of its messages is sampled.
	FromClient bool
	// Began is when the operation began, if that was before Start.
	Began time.Time
	// Queued is how long a handler waited for the worker pool.
	Queued time.Duration
}

// SpanEnd says how a span ended. The zero SpanEnd is a success.
type SpanEnd struct {
	// Code is the error code that the client was told, or why its handshake was refused. It may be the application's
	// own, from an *Error.
	Code string
	// Status is the HTTP status of a SpanHandshake or SpanPost; zero for 101 and 200.
	Status int
	// Conn is the connection of a SpanHandshake or SpanPost, if there is one.
	Conn *Conn
	// Err is why the span failed. Its text is for logs: clients are not told it.
	Err error
	// Panicked is set if a callback panicked, called runtime.Goexit, or returned a nil pointer as its error.
	Panicked bool
}

// WithTracer sets the Tracer that receives the hub's spans. By default there is none. A hub without a Tracer pays only
// a nil check for each handshake, request and publication.
func WithTracer(t Tracer) Option {
	return func(c *config) error {
		if t == nil {
			return errors.New("WithTracer: the Tracer is nil")
		}
		c.tracer = t
		return nil
	}
}
