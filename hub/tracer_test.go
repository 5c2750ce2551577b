package hub_test

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// spans is a Tracer that notes what it is told.
type spans struct {
	fault func() // in every call

	mu    sync.Mutex
	ended []*noted
}

type noted struct {
	spans  *spans
	parent *noted
	start  hub.SpanStart
	end    hub.SpanEnd
}

type notedKey struct{}

func (x *spans) Start(ctx context.Context, s hub.SpanStart) (context.Context, hub.Span) {
	if x.fault != nil {
		x.fault()
	}
	parent, _ := ctx.Value(notedKey{}).(*noted)
	n := &noted{spans: x, parent: parent, start: s}
	return context.WithValue(ctx, notedKey{}, n), n
}

func (n *noted) Trace() broker.Trace { return broker.Trace{Parent: traceParent, State: "hub=1"} }

func (n *noted) End(e hub.SpanEnd) {
	n.spans.mu.Lock()
	defer n.spans.mu.Unlock()
	n.end = e
	n.spans.ended = append(n.spans.ended, n)
}

// find returns the spans of a kind that have ended.
func (x *spans) find(k hub.SpanKind) (all []*noted) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range x.ended {
		if n.start.Kind == k {
			all = append(all, n)
		}
	}
	return all
}

// await waits for the first span of a kind that passes.
func (x *spans) await(t *testing.T, what string, k hub.SpanKind, pass func(*noted) bool) (found *noted) {
	t.Helper()
	await(t, what, func() bool {
		all := x.find(k)
		if i := slices.IndexFunc(all, pass); i >= 0 {
			found = all[i]
		}
		return found != nil
	})
	return found
}

func op(name string) func(*noted) bool { return func(n *noted) bool { return n.start.Name == name } }

// TestTracer: callbacks get the values of the span that they belong to, over each transport.
func TestTracer(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		x := new(spans)
		s := tr.start(t, hub.WithTracer(x), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			if r.Context().Value(notedKey{}) == nil {
				t.Error("the authenticator is not within the handshake's span")
			}
			return hub.Identity{}, nil
		}))
		within := func(ctx context.Context, c *hub.Conn, kind hub.SpanKind, name string) {
			n, _ := ctx.Value(notedKey{}).(*noted)
			if n == nil || n.start.Kind != kind || n.start.Name != name || n.start.Conn != c {
				t.Errorf("a callback is not within %s", name)
			}
			if of, ok := hub.ConnFromContext(ctx); !ok || of != c {
				t.Error("the context has lost its connection")
			}
		}
		s.OnJoin(func(ctx context.Context, c *hub.Conn, _ string) error {
			within(ctx, c, hub.SpanRequest, "join")
			return nil
		})
		s.OnPublish(func(ctx context.Context, c *hub.Conn, p *hub.Publication) error {
			within(ctx, c, hub.SpanRequest, "publish")
			if string(p.Data) == "2" {
				p.Trace = broker.Trace{}
			}
			return nil
		})
		s.OnMessage(func(ctx context.Context, c *hub.Conn, _ hub.Message) { within(ctx, c, hub.SpanHandler, "OnMessage") })
		c := s.dial(t)
		c.ask(`{"op":"join","id":1,"room":"a"}`)
		c.ask(`{"op":"send","id":2,"data":1}`)
		x.await(t, "the span of OnMessage", hub.SpanHandler, op("OnMessage"))

		c.write(`{"op":"publish","room":"a","data":1}`)
		if got := c.carried(); got.TraceParent != traceParent || got.TraceState != "hub=1" {
			t.Errorf("the message carries %+v, want the span's context", got)
		}
		publish := x.await(t, "a publication", hub.SpanPublish, func(*noted) bool { return true })
		if publish.parent == nil || publish.parent.start.Name != "publish" || !publish.start.FromClient {
			t.Errorf("the publication is no child of its request: %+v", publish.start)
		}
		if b := x.await(t, "the broker's part", hub.SpanBroker, func(*noted) bool { return true }); b.parent != publish {
			t.Error("the broker's part is no child of the publication")
		}
		d := x.await(t, "a delivery", hub.SpanDelivery, func(*noted) bool { return true })
		if d.start.Trace != publish.Trace() || d.start.Room != "a" || d.end.Err != nil {
			t.Errorf("delivery %+v", d.start)
		}
		c.write(`{"op":"publish","room":"a","data":2,"traceparent":"` + traceParent + `"}`)
		if got := c.carried(); got.TraceParent != "" {
			t.Errorf("the message carries %+v, which OnPublish has cleared", got)
		}
	})
}

// TestTracerFaults: a Tracer that panics, or ends with the goroutine's context gone, costs its spans alone.
func TestTracerFaults(t *testing.T) {
	x := &spans{fault: func() { panic("tracer") }}
	s := start(t, hub.WithTracer(x), hub.WithOpenRooms("*"))
	s.Handle("add", func(context.Context, *hub.Conn, []byte) (any, error) { return 3, nil })
	c := s.dial(t)
	if got := c.ask(`{"op":"call","id":1,"method":"add"}`); string(got.Data) != "3" {
		t.Errorf("answer %s", got.Data)
	}
	c.ask(`{"op":"join","id":2,"room":"a"}`)
	c.write(`{"op":"publish","room":"a","data":1,"traceparent":"` + traceParent + `"}`)
	if got := c.carried(); got.TraceParent != traceParent {
		t.Errorf("the message carries %+v", got)
	}
	if s.Stats().Panics == 0 {
		t.Error("the panics are not counted")
	}
}

// TestTracerEnds: every request and handshake has a span that ends, once, with what the client was told.
func TestTracerEnds(t *testing.T) {
	x := new(spans)
	s := start(t, hub.WithTracer(x), hub.WithOpenRooms("open"))
	s.Handle("goexit", func(context.Context, *hub.Conn, []byte) (any, error) { runtime.Goexit(); return nil, nil })
	s.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) { panic("heavy") }, hub.Heavy())
	c := s.dial(t)
	for i, tc := range []struct{ frame, op, code string }{
		{`{"op":"join","id":%,"room":"closed"}`, "join", "forbidden"},
		{`{"op":"publish","id":%,"room":"closed","data":1}`, "publish", "forbidden"},
		{`{"op":"leave","id":%,"room":"open"}`, "leave", "unknown_room"},
		{`{"op":"nothing","id":%}`, "", "unknown_op"},
		{`{"op":"call","id":%,"method":"goexit"}`, "call", "internal"},
		{`{"op":"call","id":%,"method":"heavy"}`, "call", "internal"},
		{`{"op":"ping","id":%}`, "ping", ""},
	} {
		x.mu.Lock()
		x.ended = nil
		x.mu.Unlock()
		c.ask(strings.Replace(tc.frame, "%", string(rune('1'+i)), 1))
		got := x.await(t, tc.frame, hub.SpanRequest, func(*noted) bool { return true })
		if got.start.Name != tc.op || got.end.Code != tc.code {
			t.Errorf("%s: op %q and code %q, want %q and %q", tc.frame, got.start.Name, got.end.Code, tc.op, tc.code)
		}
		for _, h := range x.find(hub.SpanHandler) {
			if !h.end.Panicked || h.parent != got || h.start.Name == "heavy" && h.start.Queued <= 0 {
				t.Errorf("%s: the handler's span is %+v, ended with %+v", tc.frame, h.start, h.end)
			}
		}
		if n := len(x.find(hub.SpanRequest)); n != 1 {
			t.Errorf("%s: %d spans", tc.frame, n)
		}
	}
	s.shutdown(t)
	s.refused(t, nil)
	got := x.await(t, "the refused handshake", hub.SpanHandshake, func(n *noted) bool { return n.end.Code != "" })
	if got.end.Code != hub.RefusedDraining.String() || got.end.Status != http.StatusServiceUnavailable {
		t.Errorf("the handshake ended with %+v", got.end)
	}
}

// TestTracerOfPost: a POST is a span, in which callbacks run.
func TestTracerOfPost(t *testing.T) {
	x := new(spans)
	s := start(t, hub.WithTracer(x), hub.WithOpenRooms("*"))
	s.Handle("heavy", func(ctx context.Context, _ *hub.Conn, _ []byte) (any, error) {
		if n, _ := ctx.Value(notedKey{}).(*noted); n == nil || n.start.Queued <= 0 || n.parent.start.Kind != hub.SpanPost {
			t.Error("the handler is not within the POST's span, with its time in the queue")
		}
		return 1, nil
	}, hub.Heavy())
	p := s.posts(t)
	p.expect("method=heavy", nil, ``, 200, `{"op":"ok","data":1}`)
	p.expect("room=a", nil, `1`, 200, `{"op":"ok","room":"a"}`)
	p.expect("room=a", nil, `x`, 400, `{"op":"error","code":"bad_request","message":"the body is not one JSON value"}`)
	await(t, "three POSTs", func() bool { return len(x.find(hub.SpanPost)) == 3 })
	if all := x.find(hub.SpanPost); all[2].end.Code != "bad_request" || all[2].end.Status != 400 || all[0].end.Conn == nil {
		t.Errorf("POSTs ended with %+v", all[2].end)
	}
	if publish := x.find(hub.SpanPublish); len(publish) != 1 || publish[0].parent.start.Kind != hub.SpanPost {
		t.Errorf("%d publications, want one within its POST", len(publish))
	}
}

// BenchmarkTracer is a request there and back, without a Tracer and with one that records nothing.
func BenchmarkTracer(b *testing.B) {
	for _, tc := range []struct {
		name string
		opts []hub.Option
	}{{"none", nil}, {"unsampled", []hub.Option{hub.WithTracer(unsampled{})}}} {
		for _, request := range []string{`{"op":"call","id":1,"method":"m"}`, `{"op":"publish","id":1,"room":"a","data":1}`} {
			name := tc.name + "/" + strings.Split(request, `"`)[3]
			b.Run(name, func(b *testing.B) {
				h, dial := benchHub(b, append(tc.opts, hub.WithOpenRooms("*"), hub.WithLogger(slog.New(slog.DiscardHandler)))...)
				if err := h.Handle("m", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, nil }); err != nil {
					b.Fatal(err)
				}
				ws := dial()
				b.ReportAllocs()
				for b.Loop() {
					if err := ws.WriteMessage(1, []byte(request)); err != nil {
						b.Fatal(err)
					}
					if _, _, err := ws.ReadMessage(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

type unsampled struct{}

func (unsampled) Start(ctx context.Context, _ hub.SpanStart) (context.Context, hub.Span) {
	return ctx, nil
}
