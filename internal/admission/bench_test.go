package admission

import (
	"net/http"
	"testing"
)

func BenchmarkAdmit(b *testing.B) {
	g, err := New(Config{Rate: 1e9, Burst: 1e9, MaxConns: 10, MaxPerIP: 10, MaxHandshakes: 10, TrustedProxies: proxies})
	if err != nil {
		b.Fatal(err)
	}
	r := &http.Request{RemoteAddr: "10.0.0.1:80", Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}
	b.ReportAllocs()
	for b.Loop() {
		ticket, refusal := g.Arrive(r, true)
		if refusal != nil {
			b.Fatal(refusal)
		}
		ticket.Established(g)
		ticket.Done(g)
	}
}

func BenchmarkRefuse(b *testing.B) {
	g, err := New(Config{Rate: 1e-9, Burst: 1})
	if err != nil {
		b.Fatal(err)
	}
	r := request(someone)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = g.Arrive(r, true)
	}
}
