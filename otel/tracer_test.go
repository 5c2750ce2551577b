package otel_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	hubotel "github.com/gohubkit/hubkit/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestCall: a call is a span of its request, with one of its handler below, which the handler's own descend from. The handshake
// is one of its own, and so is the hello.
func TestCall(t *testing.T) {
	r := record(t, sdktrace.AlwaysSample())
	n := serve(t, hub.WithTracer(r.tracer()))
	app := r.provider.Tracer("app")
	handle(t, n, "add", func(ctx context.Context, c *hub.Conn, _ []byte) (any, error) {
		if got, ok := hub.ConnFromContext(ctx); !ok || got != c {
			t.Error("the handler's context has lost its connection")
		}
		_, s := app.Start(ctx, "database")
		s.End()
		return 3, nil
	})
	c := connect(t, n.url)
	if _, err := c.Call(t.Context(), "add", nil); err != nil {
		t.Fatal(err)
	}
	request, handler := r.await("hubkit request call"), r.await("hubkit handler add")
	child(t, handler, request)
	child(t, r.await("database"), handler)
	if request.Parent.IsValid() || request.SpanKind != trace.SpanKindServer || request.Status.Code != codes.Unset {
		t.Errorf("request: %+v", request)
	}
	if method, _ := attr(handler, "hubkit.handler.method"); method.AsString() != "add" {
		t.Errorf("the handler's method is %q", method.AsString())
	}
	if _, queued := attr(handler, "hubkit.handler.queue_time"); queued {
		t.Error("a light handler has a queue time")
	}
	handshake, hello := r.await("hubkit handshake"), r.await("hubkit request hello")
	ids := make(map[string]bool)
	for _, s := range []tracetest.SpanStub{request, handler, handshake, hello} {
		id, _ := attr(s, "hubkit.connection.id")
		ids[id.AsString()] = true
		for _, key := range []string{"messaging.destination.name", "user.id"} {
			if _, ok := attr(s, key); ok {
				t.Errorf("%q has %s, which nobody asked for", s.Name, key)
			}
		}
	}
	if len(ids) != 1 || ids[""] {
		t.Errorf("connection IDs %v, want one", ids)
	}
}

func handle(t *testing.T, n *node, name string, f hub.HandlerFunc, opts ...hub.HandleOption) {
	t.Helper()
	if err := n.Handle(name, f, opts...); err != nil {
		t.Fatal(err)
	}
}

// TestHeavyCalls: calls on the worker pool have their time in the queue, also those that wait behind one of the same connection, and
// their requests last until they are answered.
func TestHeavyCalls(t *testing.T) {
	r := record(t, sdktrace.AlwaysSample())
	n := serve(t, hub.WithTracer(r.tracer()))
	begun, release := make(chan struct{}, 2), make(chan struct{})
	handle(t, n, "render", func(context.Context, *hub.Conn, []byte) (any, error) {
		begun <- struct{}{}
		<-release
		return nil, nil
	}, hub.Heavy())
	c := connect(t, n.url)
	done := make(chan error, 2)
	call := func() { _, err := c.Call(t.Context(), "render", nil); done <- err }
	go call()
	<-begun
	if len(r.named("hubkit request call")) != 0 {
		t.Error("the request has ended while its handler runs")
	}
	go call()
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	for len(r.named("hubkit request call")) < 2 {
		r.await("hubkit request call")
	}
	requests, handlers := r.named("hubkit request call"), r.named("hubkit handler render")
	if len(requests) != 2 || len(handlers) != 2 {
		t.Fatalf("%d requests and %d handlers, want 2 of each", len(requests), len(handlers))
	}
	for i, h := range handlers {
		child(t, h, requests[i])
		queued, ok := attr(h, "hubkit.handler.queue_time")
		if !ok || queued.AsFloat64() <= 0 {
			t.Errorf("handler %d: queue time %v, want more than 0", i, queued.AsFloat64())
		}
		if requests[i].StartTime.After(h.StartTime) || requests[i].EndTime.Before(h.EndTime) {
			t.Errorf("request %d does not contain its handler", i)
		}
	}
}

// TestFailures: a panic, an error, and an answer that is the client's fault.
func TestFailures(t *testing.T) {
	r := record(t, sdktrace.AlwaysSample())
	n := serve(t, hub.WithTracer(r.tracer()))
	handle(t, n, "panic", func(context.Context, *hub.Conn, []byte) (any, error) { panic("oh") })
	handle(t, n, "fail", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, errors.New("no disk") })
	handle(t, n, "refuse", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, hub.ErrForbidden })
	c := connect(t, n.url)
	for _, tc := range []struct {
		method, why, requestWhy string
		status                  codes.Code
	}{
		{"panic", "panic", "internal", codes.Error},
		{"fail", "internal", "internal", codes.Error},
		{"refuse", "forbidden", "forbidden", codes.Unset},
	} {
		t.Run(tc.method, func(t *testing.T) {
			r.memory.Reset()
			if _, err := c.Call(t.Context(), tc.method, nil); err == nil {
				t.Fatal("the call succeeded")
			}
			request, handler := r.await("hubkit request call"), r.await("hubkit handler "+tc.method)
			child(t, handler, request)
			if handler.Status.Code != tc.status || request.Status.Code != tc.status {
				t.Errorf("status of the handler is %v and of the request %v, want %v", handler.Status, request.Status, tc.status)
			}
			why, _ := attr(handler, "error.type")
			requestWhy, _ := attr(request, "error.type")
			if why.AsString() != tc.why || requestWhy.AsString() != tc.requestWhy {
				t.Errorf("error types %q and %q, want %q and %q", why.AsString(), requestWhy.AsString(), tc.why, tc.requestWhy)
			}
			if len(handler.Events) != 1 || handler.Events[0].Name != "exception" {
				t.Errorf("events %v, want one exception", handler.Events)
			}
		})
	}
	r.memory.Reset()
	if _, err := c.Call(t.Context(), strings.Repeat("x", 1000), nil); err == nil {
		t.Fatal("a method that is not there was called")
	}
	if why, _ := attr(r.await("hubkit request call"), "error.type"); why.AsString() != "unknown_method" {
		t.Errorf("error type %q, want unknown_method", why.AsString())
	}
}

// TestRefusedHandshake: the reason and the status, and no error of the span.
func TestRefusedHandshake(t *testing.T) {
	r := record(t, sdktrace.AlwaysSample())
	n := serve(t, hub.WithTracer(r.tracer()), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		return hub.Identity{}, hub.ErrUnauthorized
	}))
	if err := connectOnce(t, n.url); err == nil {
		t.Fatal("the handshake was accepted")
	}
	s := r.await("hubkit handshake")
	status, _ := attr(s, "http.response.status_code")
	why, _ := attr(s, "error.type")
	if status.AsInt64() != http.StatusUnauthorized || why.AsString() != "unauthorized" || s.Status.Code != codes.Unset {
		t.Errorf("status %d, reason %q, %v", status.AsInt64(), why.AsString(), s.Status)
	}
}

func connectOnce(t *testing.T, url string) error {
	t.Helper()
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	return c.Run(t.Context())
}

// TestOverNodes: a client of one node publishes within a span of its own, and a client of another acts on the message. All of
// it is one trace.
func TestOverNodes(t *testing.T) {
	server := redistest.Start(t)
	r := record(t, sdktrace.AlwaysSample())
	var nodes [2]*node
	for i := range nodes {
		b, err := redis.New([]string{server.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = serve(t, hub.WithBroker(b), hub.WithTracer(r.tracer(hubotel.WithTrustedClients(), hubotel.WithRoomNames())))
	}
	app := r.provider.Tracer("app")
	got := make(chan *client.Meta, 1)
	subscribe(t, connect(t, nodes[1].url), "news", func(m client.Message) { got <- m.Meta })

	ctx, order := app.Start(t.Context(), "order")
	if _, err := connect(t, nodes[0].url).Publish(ctx, "news", json.RawMessage(`1`), hubotel.ClientTrace(ctx)); err != nil {
		t.Fatal(err)
	}
	order.End()
	meta := <-got
	_, react := app.Start(hubotel.ContextOf(context.Background(), meta), "react")
	react.End()
	_, other := app.Start(context.Background(), "one of many", trace.WithLinks(hubotel.LinkTo(meta)))
	other.End()

	request, publish := r.await("hubkit request publish"), r.await("hubkit publish")
	child(t, request, r.await("order"))
	child(t, publish, request)
	child(t, r.await("hubkit broker"), publish)
	deliver := r.await("hubkit deliver")
	child(t, deliver, publish)
	child(t, r.await("react"), publish)
	if s := r.await("one of many"); !linked(s, publish.SpanContext) || s.SpanContext.TraceID() == publish.SpanContext.TraceID() {
		t.Errorf("a trace of its own is to have a link to the publication; it has %v", s.Links)
	}
	if room, _ := attr(deliver, "messaging.destination.name"); room.AsString() != "news" {
		t.Errorf("the room is %q", room.AsString())
	}
	if deliver.SpanKind != trace.SpanKindConsumer || publish.SpanKind != trace.SpanKindProducer {
		t.Errorf("kinds %v and %v, want consumer and producer", deliver.SpanKind, publish.SpanKind)
	}
}

func subscribe(t *testing.T, c *client.Client, room string, f func(client.Message)) {
	t.Helper()
	sub, err := c.Subscribe(room, f)
	if err == nil {
		err = sub.Ready(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestServicePublishes: the message carries the span of the publication, which descends from the caller's.
func TestServicePublishes(t *testing.T) {
	r := record(t, sdktrace.AlwaysSample())
	n := serve(t, hub.WithTracer(r.tracer()))
	got := make(chan *client.Meta, 1)
	subscribe(t, connect(t, n.url), "news", func(m client.Message) { got <- m.Meta })
	ctx, job := r.provider.Tracer("app").Start(t.Context(), "job")
	if _, err := n.Publish(ctx, "news", []byte(`1`), hub.Tags(map[string]string{"a": "b"})); err != nil {
		t.Fatal(err)
	}
	job.End()
	publish := r.await("hubkit publish")
	child(t, publish, r.await("job"))
	child(t, r.await("hubkit deliver"), publish)
	if m := <-got; !strings.Contains(m.TraceParent, publish.SpanContext.SpanID().String()) || m.Tags["a"] != "b" {
		t.Errorf("the message carries %+v", m)
	}
}

// TestForeignClients: without WithTrustedClients a client's trace is linked to, and its sampled flag decides nothing.
func TestForeignClients(t *testing.T) {
	theirs := client.Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1")
	t.Run("sampled", func(t *testing.T) {
		r := record(t, sdktrace.AlwaysSample())
		n := serve(t, hub.WithTracer(r.tracer()))
		if _, err := connect(t, n.url).Publish(t.Context(), "news", []byte(`1`), theirs); err != nil {
			t.Fatal(err)
		}
		request, publish := r.await("hubkit request publish"), r.await("hubkit publish")
		child(t, publish, request)
		if len(request.Links) != 1 || request.Links[0].SpanContext.SpanID().String() != "b7ad6b7169203331" || request.Parent.IsValid() {
			t.Errorf("links %v, parent %v: want a link alone", request.Links, request.Parent)
		}
	})
	t.Run("not sampled", func(t *testing.T) {
		r := record(t, sdktrace.NeverSample())
		n := serve(t, hub.WithTracer(r.tracer(hubotel.WithDeliveryRate(0))))
		got := make(chan *client.Meta, 1)
		subscribe(t, connect(t, n.url), "news", func(m client.Message) { got <- m.Meta })
		if _, err := connect(t, n.url).Publish(t.Context(), "news", []byte(`1`), theirs); err != nil {
			t.Fatal(err)
		}
		if m := <-got; m.TraceParent != "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" || m.TraceState != "a=1" {
			t.Errorf("the message carries %+v, want what the client said", m)
		}
		if names := r.names(); len(names) != 0 {
			t.Errorf("spans %q, want none", names)
		}
	})
}

// TestSamplingOff: nothing is recorded, messages carry nothing, and nothing on another path begins a trace of its own.
func TestSamplingOff(t *testing.T) {
	r := record(t, sdktrace.NeverSample())
	n := serve(t, hub.WithTracer(r.tracer()))
	handle(t, n, "add", func(ctx context.Context, _ *hub.Conn, _ []byte) (any, error) {
		_, err := n.Publish(ctx, "news", []byte(`1`))
		return nil, err
	})
	got := make(chan *client.Meta, 1)
	c := connect(t, n.url)
	subscribe(t, c, "news", func(m client.Message) { got <- m.Meta })
	if _, err := c.Call(t.Context(), "add", nil); err != nil {
		t.Fatal(err)
	}
	if m := <-got; m != nil {
		t.Errorf("the message carries %+v", m)
	}
	if names := r.names(); len(names) != 0 {
		t.Errorf("spans %q, want none", names)
	}
}

// TestDeliveryRate: no more deliveries a second have a span, whatever messages say.
func TestDeliveryRate(t *testing.T) {
	r := record(t, sdktrace.AlwaysSample())
	tracer := r.tracer(hubotel.WithDeliveryRate(2))
	recorded := 0
	for range 10 {
		_, s := tracer.Start(t.Context(), hub.SpanStart{Kind: hub.SpanDelivery})
		if s != nil {
			recorded++
			s.End(hub.SpanEnd{})
		}
	}
	if recorded < 2 || recorded > 4 { // a second may have ended meanwhile
		t.Errorf("%d of 10 deliveries have a span, want 2", recorded)
	}
}

// TestBoundedAttributes: what clients choose is cut to 128 bytes of valid UTF-8, and only there if it was asked for.
func TestBoundedAttributes(t *testing.T) {
	r := record(t, sdktrace.AlwaysSample())
	n := serve(t, hub.WithTracer(r.tracer(hubotel.WithRoomNames(), hubotel.WithUserIDs())),
		hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return hub.Identity{User: strings.Repeat("ü", 100)}, nil }))
	if _, err := connect(t, n.url).Publish(t.Context(), "x"+strings.Repeat("é", 127), []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	s := r.await("hubkit request publish")
	room, _ := attr(s, "messaging.destination.name")
	user, _ := attr(s, "user.id")
	if room.AsString() != "x"+strings.Repeat("é", 63) || user.AsString() != strings.Repeat("ü", 64) {
		t.Errorf("room %q, user %q", room.AsString(), user.AsString())
	}
}

func TestOptions(t *testing.T) {
	_, err := hubotel.New(nil, hubotel.WithTracerProvider(nil), hubotel.WithDeliveryRate(-1))
	for _, want := range []string{"option 0 is nil", "WithTracerProvider: nil", "WithDeliveryRate: -1 is negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q in it", err, want)
		}
	}
}
