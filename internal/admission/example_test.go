package admission_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
)

func ExampleGate() {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	gate, err := admission.New(admission.Config{
		Rate: 10, Burst: 1, MaxConns: 1000,
		Now: func() time.Time { return noon }, // so that the output is always the same
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	serve := func(r *http.Request) {
		ticket, refusal := gate.Arrive(r, false)
		if refusal != nil {
			fmt.Println(refusal)
			return
		}
		defer ticket.Done(gate)
		// The handshake goes here.
		ticket.Established(gate)
		fmt.Println("connected")
	}
	serve(&http.Request{RemoteAddr: "192.0.2.1:1000"})
	serve(&http.Request{RemoteAddr: "192.0.2.2:1000"})
	// Output:
	// connected
	// admission: too many new connections; again after 125ms
}

func ExampleSpread() {
	// 100,000 clients come back to nodes that together admit 2,000 a second.
	fmt.Println(admission.Spread(100_000, 2000).Round(time.Second))
	// Output: 1m4s
}
