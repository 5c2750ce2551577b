package otel_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
	hubotel "github.com/gohubkit/hubkit/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TestWebClient: a publication of the TypeScript client, the hub's spans and what another client receives are one trace, if clients
// are trusted. Else the hub's spans are a trace of their own, with a link to the client's.
func TestWebClient(t *testing.T) {
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	node := testenv.RequireTool(t, "node")
	for name, trusted := range map[string]bool{"trusted": true, "not trusted": false} {
		t.Run(name, func(t *testing.T) {
			r := record(t, sdktrace.AlwaysSample())
			var opts []hubotel.Option
			if trusted {
				opts = append(opts, hubotel.WithTrustedClients())
			}
			n := serve(t, hub.WithTracer(r.tracer(opts...)))
			out, err := exec.CommandContext(t.Context(), node, "../web/testdata/traced.mjs", n.url, "00-"+traceID+"-"+parent+"-01").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got, state, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
			publish, deliver := r.await("hubkit publish"), r.await("hubkit deliver")
			child(t, deliver, publish)
			if want := "00-" + publish.SpanContext.TraceID().String() + "-" + publish.SpanContext.SpanID().String() + "-01"; got != want {
				t.Errorf("the receiver's context is %q, want that of the publication: %q", got, want)
			}
			if is := publish.SpanContext.TraceID().String() == traceID; is != trusted {
				t.Errorf("the hub goes on with the client's trace: %v, want %v", is, trusted)
			}
			if trusted && state != "vendor=1" {
				t.Errorf("the trace state is %q", state)
			}
		})
	}
}
