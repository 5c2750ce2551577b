//go:build unix

package prometheus_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	hubmetrics "github.com/gohubkit/hubkit/metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
)

// BenchmarkCollect collects the metrics of a hub with 15,000 idle connections. cpu-ms/op is the CPU that a collection takes,
// whatever else the machine does. The connections are pipes, so that no limit on descriptors matters.
func BenchmarkCollect(b *testing.B) {
	for _, conns := range []int{0, 15_000} {
		b.Run(fmt.Sprintf("%d_connections", conns), func(b *testing.B) {
			h, err := hub.New(hub.WithoutPreflight(), hub.WithRaw(), hub.WithLogger(slog.New(slog.DiscardHandler)))
			if err != nil {
				b.Fatal(err)
			}
			l := pipes{make(chan net.Conn), make(chan struct{})}
			srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
			served := make(chan struct{})
			go func() { defer close(served); _ = srv.Serve(l) }()
			b.Cleanup(func() {
				_ = h.Close()
				_ = srv.Close()
				<-served
			})
			request := "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
			for range conns {
				c, s := net.Pipe()
				b.Cleanup(func() { _ = c.Close() })
				l.conns <- s
				if _, err := c.Write([]byte(request)); err != nil {
					b.Fatal(err)
				}
				resp, err := http.ReadResponse(bufio.NewReaderSize(c, 512), nil)
				if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
					b.Fatal(err, resp)
				}
				_ = resp.Body.Close()
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(hubmetrics.NewCollector(h))
			b.ReportAllocs()
			runtime.GC() // what connecting has left behind is not the collection's
			before := cpu(b)
			for b.Loop() {
				if _, err := registry.Gather(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
		})
	}
}

// pipes is a net.Listener.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) Close() error {
	close(p.ended)
	return nil
}

// cpu is what the process has used so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
