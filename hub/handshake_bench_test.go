package hub_test

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// BenchmarkAdmission makes a connection to a hub without a gate and one to a hub whose gate has every bound and refuses
// nobody, in turn, and reports the medians of the time from the first packet to the answer, in microseconds, and their
// ratio. An operation is both.
func BenchmarkAdmission(b *testing.B) {
	const plenty = 1_000_000
	open := start(b, hub.WithoutPreflight(), hub.WithOpenRooms("*"))
	gated := start(b, hub.WithoutPreflight(), hub.WithOpenRooms("*"), hub.WithAdmission(plenty, plenty), hub.WithMaxConns(plenty/2),
		hub.WithMaxPerIP(plenty/2), hub.WithMaxHandshakes(plenty/2))
	var took [2][]time.Duration
	for i := 0; b.Loop(); i++ {
		for j := range took {
			k := (i + j) % 2 // neither is always first
			took[k] = append(took[k], handshake(b, [2]*server{open, gated}[k]))
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2]) / float64(time.Microsecond)
	}
	without, with := median(took[0]), median(took[1])
	b.ReportMetric(without, "µs-without")
	b.ReportMetric(with, "µs-with")
	b.ReportMetric(with/without, "with/without")
	if st := gated.Stats(); st.Refused > 0 || st.Accepted < int64(len(took[1])) {
		b.Errorf("%d accepted, %d refused", st.Accepted, st.Refused)
	}
}

// handshake connects, and leaves no port behind that waits to be free.
func handshake(b *testing.B, s *server) time.Duration {
	b.Helper()
	addr := strings.TrimPrefix(s.url, "ws://")
	began := time.Now()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: " + addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	if err != nil {
		b.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // it is conn
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if res.StatusCode != http.StatusSwitchingProtocols {
		b.Fatal(res.Status)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
	return took
}
