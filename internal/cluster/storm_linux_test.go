//go:build faults

package cluster_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/storm"
)

// TestFaultStorm: fifteen thousand clients are on a node that is shut down within a tenth of a second. They come back to the
// node that remains, when their hints say, and no 100 ms see more than 1.2 times the rate at which it admits.
func TestFaultStorm(t *testing.T) {
	const clients, rate = 15_000, 2000
	r := redistest.Start(t)
	// A node with a rate gives tickets.
	leaves := startNode(t, "leaves", []string{r.Addr()}, "-rate=100000")
	stays := startNode(t, "stays", []string{r.Addr()}, "-rate=2000")
	h := newHerd(t, clients)
	h.to(leaves.at(), stays.at())

	begin := time.Now()
	h.run(t, "all are in", func() bool { return h.in == clients })
	t.Logf("%d connections made in %v", clients, time.Since(begin))
	eventually(t, "both nodes know of each other", func() bool {
		return len(must[[]struct{ AdmitRate float64 }](leaves, "/nodes", "")) == 2
	})

	begin = time.Now()
	if err := leaves.proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.run(t, "all were told", func() bool { return h.told == clients })
	t.Logf("all were told to leave within %v, the last to come after %v", time.Since(begin), h.latest)
	h.run(t, "all are back", func() bool { return h.back == clients })
	t.Logf("all were back after %v", time.Since(begin))
	if err := leaves.proc.Wait(context.Background()); err != nil {
		t.Errorf("the node that left: %v", err)
	}

	times := must[[]time.Duration](stays, "/arrivals", "")
	st := stays.stats().Hub
	peak, most := storm.Peak(times, 100*time.Millisecond), int(1.2*rate/10)
	t.Logf("%d handshakes, at most %d in 100 ms, %d of them refused", len(times), peak, st.Refused)
	if peak > most {
		t.Errorf("%d handshakes within 100 ms, at most %d are allowed", peak, most)
	}
	if st.Conns != clients || st.Admission.Resumed != clients || len(times) != clients+int(st.Refused) {
		t.Errorf("%d connections, %d resumed, %d refused, %d handshakes", st.Conns, st.Admission.Resumed, st.Refused, len(times))
	}
}
