package prometheus_test

import (
	"log"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/hub"
	hubmetrics "github.com/gohubkit/hubkit/metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The metrics are served on an address of their own, which clients do not reach.
func Example() {
	h, err := hub.New(hub.WithOpenRooms("chat:*"))
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(hubmetrics.NewCollector(h))

	inside := http.NewServeMux()
	inside.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	go func() {
		log.Print((&http.Server{Addr: "127.0.0.1:9100", Handler: inside, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
	}()

	public := http.NewServeMux()
	public.Handle("GET /ws", h)
	log.Print((&http.Server{Addr: ":8080", Handler: public, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}
