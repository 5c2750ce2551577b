package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
)

var update = flag.Bool("update", false, "write testdata/result.json anew")

func sample() *Result {
	h := load.NewHistogram()
	for i := range int64(1000) {
		_ = h.RecordValue(i * 1000)
	}
	zero := plan.Amount{}
	second := time.Second
	r := &Result{
		Schema: Schema, Warnings: []string{"<script>alert(1)</script>"}, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Settings:    plan.Plan{Targets: []string{"ws://h/</script>"}, Mode: plan.Hub, Conns: 5, Procs: 1, Rooms: 1, RoomsPerConn: 1, Publishers: 1, Rate: 1, Token: "secret"},
		Connections: Connections{Asked: 5, Peak: 5, Connect: Of(h), Failures: load.Reasons{"HTTP 503": 2, "<b>": 3}, Closes: load.Reasons{}},
		Publishes:   Publishes{Sent: 10, Accepted: 10, Errors: load.Reasons{}},
		Deliveries:  Deliveries{Expected: 50, Received: 49, Lost: 1, Latency: Of(h)},
		Processes:   []Process{{Conns: 5, FDs: 12, FDLimit: 1024}},
		Timeline:    []Point{{T: 1, Phase: "measuring", Open: 5, Delivery: Of(h)}},
	}
	r.ConnectDistribution, r.DeliveryDistribution = Distribution(h)[:2], Distribution(load.NewHistogram())
	r.Judge(plan.Thresholds{Loss: &zero, Failed: &zero, ConnectP99: &second, PingP99: &second})
	return r
}

// The JSON is for other programs: what it is called does not change unseen.
func TestJSONGolden(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`-?\d+(\.\d+)?(e[+-]?\d+)?`).ReplaceAll(b.Bytes(), []byte("0"))
	const file = "testdata/result.json"
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the JSON has changed; if it is meant, run with -update and consider Schema\n%s", got)
	}
	if strings.Contains(b.String(), "secret") {
		t.Error("the token is in it")
	}
	var back Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Error(err)
	}
}

func TestJudge(t *testing.T) {
	r := sample()
	held := map[string]bool{}
	for _, th := range r.Thresholds {
		held[th.Flag] = th.Held
	}
	if !held["max-failed"] || held["max-loss"] || !held["max-connect-p99"] || held["max-ping-p99"] || len(held) != 4 {
		t.Errorf("%v: nothing measured holds nothing", held)
	}
	if r.Outcome != NotHeld || r.Outcome.Status() != 1 {
		t.Errorf("outcome %s", r.Outcome)
	}
	r.Fault = "a process died"
	r.Judge(plan.Thresholds{})
	if r.Outcome.Status() != 3 {
		t.Errorf("outcome %s", r.Outcome)
	}
}

func TestHTMLEscapes(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script>alert", "h/</script>", "<b></td>", "secret", "http://", "https://h"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
	for _, want := range []string{"A threshold did not hold", "HTTP 503", `"open":5`, "-max-loss"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1: "-1", -1000: "-1,000", -123456: "-123,456"} {
		if got := Grouped(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for ms, want := range map[float64]string{0: "0.00 ms", 1.234: "1.23 ms", 12.34: "12.3 ms", 123.4: "123 ms", 1234: "1.23 s"} {
		if got := Millis(ms); got != want {
			t.Errorf("%v: %q, want %q", ms, got, want)
		}
	}
}
