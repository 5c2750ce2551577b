package hub

import (
	"context"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// This file is the hub's side of a Tracer. Callers have checked that conf.tracer is not nil. Without a Tracer that check is the
// only cost.

// startSpan begins a span. It always returns a context.
func (h *Hub) startSpan(ctx context.Context, s SpanStart) (next context.Context, span Span) {
	h.guard("Tracer", s.Conn, func() error {
		next, span = h.conf.tracer.Start(ctx, s) //nolint:fatcontext // it is called once
		return nil
	})
	if next == nil {
		return ctx, nil
	}
	return next, span
}

// endSpan ends a span; nil is none.
func (h *Hub) endSpan(span Span, e SpanEnd) {
	if span != nil {
		h.guard("Tracer", nil, func() error { span.End(e); return nil })
	}
}

// traceOf is the trace context of a span; zero if it has none that a message could carry.
func (h *Hub) traceOf(span Span) (t broker.Trace) {
	if span == nil {
		return t
	}
	h.guard("Tracer", nil, func() error { t = span.Trace(); return nil })
	if checkTrace(t) != nil {
		return broker.Trace{}
	}
	return t
}

// spanContext is a connection's context with the values of a span's context.
type spanContext struct {
	*connContext
	values context.Context //nolint:containedctx // it is what is added
}

func (x *spanContext) Value(key any) any {
	if v := x.connContext.Value(key); v != nil {
		return v
	}
	return x.values.Value(key)
}

// requestSpan is the span of a request that is under way. The connection keeps it in its extra meanwhile: its requests
// come one at a time.
type requestSpan struct {
	ctx    context.Context //nolint:containedctx // of the span
	span   Span
	end    SpanEnd
	queued time.Duration // when it began to wait for the worker pool, on the hub's clock; zero if it does not wait
}

// callbackContext is the context of a callback: the connection's, with the values of its request's span.
func (c *Conn) callbackContext() context.Context {
	if c.hub.conf.tracer == nil {
		return c.Context()
	}
	if s := c.requestSpan(); s != nil {
		return &spanContext{(*connContext)(c), s.ctx}
	}
	return c.Context()
}

func (c *Conn) requestSpan() *requestSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra == nil {
		return nil
	}
	return c.extra.span
}

// setSpan sets the span of the request that the connection is at; nil ends that.
func (c *Conn) setSpan(s *requestSpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more().span = s
	c.trim()
}

// beginRequest begins the span of a frame. since is when the frame began to wait behind calls on the worker pool, on
// the hub's clock; zero if it did not.
func (v *v1Client) beginRequest(q *protocol.Request, since time.Duration, err error) *requestSpan {
	c := (*Conn)(v)
	start := SpanStart{Kind: SpanRequest, Conn: c}
	if err == nil {
		start.Name, start.Room = q.Op.String(), string(q.Room)
		start.Trace, start.FromClient = broker.Trace{Parent: string(q.TraceParent), State: string(q.TraceState)}, true
	}
	if since != 0 {
		start.Began = c.hub.start.Add(since)
	}
	s := &requestSpan{queued: since}
	s.ctx, s.span = c.hub.startSpan(c.Context(), start)
	c.setSpan(s)
	return s
}

// endRequest ends the span of a frame, unless a call of it still waits for the worker pool.
func (v *v1Client) endRequest(s *requestSpan) {
	c := (*Conn)(v)
	if s == nil || c.requestSpan() != s {
		return
	}
	c.setSpan(nil)
	c.hub.endSpan(s.span, s.end)
}

// putOff takes the span of a request that goes to the worker pool; nil if there is none. It returns another
// requestSpan. The old one then has nothing to end, however early the pool takes up the new one.
func (v *v1Client) putOff() *requestSpan {
	c := (*Conn)(v)
	if c.hub.conf.tracer == nil {
		return nil
	}
	s := c.requestSpan()
	if s == nil {
		return nil
	}
	c.setSpan(nil)
	return &requestSpan{ctx: s.ctx, span: s.span, queued: c.hub.now()}
}

// takeUp is the reverse of putOff. Its request ends with endRequest.
func (v *v1Client) takeUp(s *requestSpan) *requestSpan {
	if s != nil {
		(*Conn)(v).setSpan(s)
	}
	return s
}

// waitsSince is the since of beginRequest for a frame that begins to wait now.
func (v *v1Client) waitsSince() time.Duration {
	if v.hub.conf.tracer == nil {
		return 0
	}
	return v.hub.now()
}

// noteError notes what the client is told of the request that is under way.
func (c *Conn) noteError(e *Error) {
	if s := c.requestSpan(); s != nil {
		s.end.Code = string(e.Code)
	}
}

// notRun ends the span of a request that waited for the worker pool until its client left.
func (v *v1Client) notRun() {
	c := (*Conn)(v)
	if c.hub.conf.tracer == nil {
		return
	}
	if s := c.requestSpan(); s != nil {
		s.end.Err = ErrClosed
		v.endRequest(s)
	}
}

// beginHandler begins the span of a handler, and returns its context.
func (c *Conn) beginHandler(name string) (context.Context, Span) {
	h := c.hub
	if h.conf.tracer == nil {
		return c.Context(), nil
	}
	start := SpanStart{Kind: SpanHandler, Name: name, Conn: c}
	if s := c.requestSpan(); s != nil && s.queued != 0 {
		start.Queued = h.now() - s.queued
	}
	ctx, span := h.startSpan(c.callbackContext(), start)
	return &spanContext{(*connContext)(c), ctx}, span
}

// endHandler ends the span of a handler.
func (c *Conn) endHandler(span Span, f *failure) {
	if span == nil {
		return
	}
	var e SpanEnd
	if f != nil {
		e = SpanEnd{Code: string(f.code()), Err: f.cause, Panicked: f.crashed}
	}
	c.hub.endSpan(span, e)
}

// within makes a client's publication part of its request's span.
func (v *v1Client) within(p *Publication) {
	c := (*Conn)(v)
	if s := c.requestSpan(); s != nil {
		if t := c.hub.traceOf(s.span); !t.IsZero() {
			p.Trace = t
		}
	}
}

// publishing begins the span of a publication, and makes the message carry its trace context. A client's message
// carries none if OnPublish has cleared it.
func (h *Hub) publishing(ctx context.Context, room string, m *broker.Meta, client bool) (context.Context, *broker.Meta, Span) {
	start := SpanStart{Kind: SpanPublish, Room: room}
	if m != nil {
		start.Trace = m.Trace
	}
	start.FromClient = client
	start.Conn, _ = ConnFromContext(ctx)
	ctx, span := h.startSpan(ctx, start)
	t := h.traceOf(span)
	if t.IsZero() || client && start.Trace.IsZero() || h.conf.raw {
		return ctx, m, span
	}
	var carried broker.Meta
	if m != nil {
		carried = *m
	}
	carried.Trace = t
	return ctx, &carried, span
}

// endPublish ends the span of a publication.
func (h *Hub) endPublish(span Span, err *error) {
	var e SpanEnd
	if *err != nil {
		e = SpanEnd{Code: string(toError(*err).Code), Err: *err}
	}
	h.endSpan(span, e)
}

// store publishes to the broker for the rooms, within a span.
func (h *Hub) store(ctx context.Context, room string, p broker.Publication) (res Result, err error) {
	ctx, span := h.startSpan(ctx, SpanStart{Kind: SpanBroker, Room: room})
	defer h.endPublish(span, &err)
	return h.broker.Publish(ctx, room, p)
}

// delivering begins the span of a message from the broker, and returns the function that ends it; nil if it is not
// recorded.
func (h *Hub) delivering(room string, m *broker.Meta) (end func(error)) {
	_, span := h.startSpan(h.ctx, SpanStart{Kind: SpanDelivery, Room: room, Trace: m.Trace})
	if span == nil {
		return nil
	}
	return func(err error) { h.endSpan(span, SpanEnd{Err: err}) }
}

// httpSpan is the span of an HTTP request. It is in the request's context.
type httpSpan struct {
	span Span
	end  SpanEnd
}

type httpSpanKey struct{}

func httpSpanOf(r *http.Request) *httpSpan {
	s, _ := r.Context().Value(httpSpanKey{}).(*httpSpan)
	return s
}

// traced serves a request within a span. It returns false if the request has one already.
func (h *Hub) traced(kind SpanKind, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) bool {
	if httpSpanOf(r) != nil {
		return false
	}
	ctx, span := h.startSpan(r.Context(), SpanStart{Kind: kind, Request: r})
	s := &httpSpan{span: span}
	defer h.endHTTP(s)
	serve(w, r.WithContext(context.WithValue(ctx, httpSpanKey{}, s)))
	return true
}

// endHTTP ends the span of a request, once.
func (h *Hub) endHTTP(s *httpSpan) {
	if s != nil {
		span := s.span
		s.span = nil
		h.endSpan(span, s.end)
	}
}

// noteConn notes the connection of a handshake or POST. Callbacks of a POST are within its span.
func (c *Conn) noteConn(r *http.Request, post bool) {
	s := httpSpanOf(r)
	if s == nil {
		return
	}
	s.end.Conn = c
	if post {
		c.setSpan(&requestSpan{ctx: r.Context(), span: s.span})
	}
}

// noteRefused notes the answer to a refused request.
func noteRefused(r *http.Request, status int, code string, err error) {
	if s := httpSpanOf(r); s != nil {
		s.end.Status, s.end.Code, s.end.Err = status, code, err
	}
}
