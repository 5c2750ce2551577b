package otel_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	hubotel "github.com/gohubkit/hubkit/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// recorder keeps the spans of a process.
type recorder struct {
	t        *testing.T
	memory   *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
}

// record records what the sampler takes, with the sampler that follows parents.
func record(t *testing.T, root sdktrace.Sampler) *recorder {
	t.Helper()
	r := &recorder{t: t, memory: tracetest.NewInMemoryExporter()}
	r.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.memory), sdktrace.WithSampler(sdktrace.ParentBased(root)))
	t.Cleanup(func() {
		if err := r.provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *recorder) tracer(opts ...hubotel.Option) *hubotel.Tracer {
	r.t.Helper()
	tracer, err := hubotel.New(append([]hubotel.Option{hubotel.WithTracerProvider(r.provider)}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return tracer
}

// await returns the first span of this name that has ended.
func (r *recorder) await(name string) tracetest.SpanStub {
	r.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if all := r.named(name); len(all) > 0 {
			return all[0]
		}
	}
	r.t.Fatalf("no span %q; there are %q", name, r.names())
	return tracetest.SpanStub{}
}

func (r *recorder) named(name string) (all []tracetest.SpanStub) {
	for _, s := range r.memory.GetSpans() {
		if s.Name == name {
			all = append(all, s)
		}
	}
	return all
}

func (r *recorder) names() (all []string) {
	for _, s := range r.memory.GetSpans() {
		all = append(all, s.Name)
	}
	slices.Sort(all)
	return all
}

// child fails the test unless s is a child of parent.
func child(t *testing.T, s, parent tracetest.SpanStub) {
	t.Helper()
	if s.Parent.SpanID() != parent.SpanContext.SpanID() || s.SpanContext.TraceID() != parent.SpanContext.TraceID() {
		t.Errorf("%q is no child of %q: its parent is %v of trace %v, want %v of %v", s.Name, parent.Name,
			s.Parent.SpanID(), s.SpanContext.TraceID(), parent.SpanContext.SpanID(), parent.SpanContext.TraceID())
	}
}

func attr(s tracetest.SpanStub, key string) (v attribute.Value, ok bool) {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value, true
		}
	}
	return v, false
}

// node is a hub behind a real server.
type node struct {
	*hub.Hub
	url string
}

func serve(t *testing.T, opts ...hub.Option) *node {
	t.Helper()
	opts = append([]hub.Option{hub.WithoutPreflight(), hub.WithOpenRooms("*"), hub.WithLogger(slog.New(slog.DiscardHandler))}, opts...)
	h, err := hub.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return &node{Hub: h, url: "ws" + strings.TrimPrefix(srv.URL, "http")}
}

// connect returns a client that runs until the test ends.
func connect(t *testing.T, url string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return c
}

func linked(s tracetest.SpanStub, to trace.SpanContext) bool {
	return slices.ContainsFunc(s.Links, func(l sdktrace.Link) bool {
		return l.SpanContext.TraceID() == to.TraceID() && l.SpanContext.SpanID() == to.SpanID()
	})
}
