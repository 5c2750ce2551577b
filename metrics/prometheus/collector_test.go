package prometheus_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	hubmetrics "github.com/gohubkit/hubkit/metrics/prometheus"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// rig is a hub behind an HTTP server on loopback, with its metrics.
type rig struct {
	t    testing.TB
	hub  *hub.Hub
	http *httptest.Server
}

func start(t testing.TB, opts ...hub.Option) *rig {
	t.Helper()
	opts = append([]hub.Option{hub.WithLogger(slog.New(slog.DiscardHandler)), hub.WithOpenRooms("*"), hub.WithDrain(100 * time.Millisecond)}, opts...)
	h, err := hub.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(hubmetrics.NewCollector(h))
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	r := &rig{t: t, hub: h, http: httptest.NewServer(mux)}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		r.http.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// join connects a client that is in a room, and reads what it is sent until the test is over.
func (r *rig) join(room string) *websocket.Conn {
	r.t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(r.http.URL, "http")+"/ws", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = resp.Body.Close()
	r.t.Cleanup(func() { _ = ws.Close() })
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"join","id":1,"room":"`+room+`"}`)); err != nil {
		r.t.Fatal(err)
	}
	for {
		_, p, err := ws.ReadMessage()
		if err != nil {
			r.t.Fatal(err)
		}
		if bytes.Contains(p, []byte(`"op":"ok"`)) {
			break
		}
	}
	go func() {
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
		}
	}()
	return ws
}

// scrape returns what Prometheus would get.
func (r *rig) scrape() []byte {
	r.t.Helper()
	resp, err := http.Get(r.http.URL + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %v\n%s", resp.Status, err, &text)
	}
	return text.Bytes()
}

// tool runs a program of the package prometheus, and fails the test if it is missing.
func tool(t testing.TB, stdin []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s (apt-get install prometheus): %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestMetricsAreClean: promtool finds no fault in the names, types and help texts.
func TestMetricsAreClean(t *testing.T) {
	r := start(t, hub.WithRooms("past:*", hub.DefaultHistory()), hub.WithRooms("other"))
	r.join("past:a")
	if out := tool(t, r.scrape(), "promtool", "check", "metrics"); out != "" {
		t.Errorf("promtool:\n%s", out)
	}
}

// TestValues: metrics have the hub's figures, and no label has the name of a room or a user.
func TestValues(t *testing.T) {
	r := start(t, hub.WithRooms("game:*", hub.Overflow(hub.OverflowDropOldest)))
	r.join("game:secret-name")
	if _, err := r.hub.Publish(t.Context(), "game:secret-name", []byte("1")); err != nil {
		t.Fatal(err)
	}
	var text string
	want := []string{
		`hubkit_connections{state="open"} 1`,
		`hubkit_connections_by_codec{codec="json",transport="websocket"} 1`,
		`hubkit_connections_by_codec{codec="json",transport="sse"} 0`,
		`hubkit_handshakes_total{result="accepted"} 1`,
		`hubkit_handshakes_refused_total{reason="origin"} 0`,
		`hubkit_room_messages_delivered_total{policy="drop_oldest",rule="game:*"} 1`,
		`hubkit_room_messages_dropped_total{policy="disconnect",rule="other"} 0`,
		`hubkit_room_recoveries_total{result="complete"} 0`,
		`hubkit_fanout_batch_messages_bucket{le="1"} 1`,
		`hubkit_connection_backlog_bytes_count 1`,
		`hubkit_published_messages_total 1`,
		`hubkit_ready 1`,
	}
	lacks := func(line string) bool { return !strings.Contains(text, line+"\n") }
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) { // a delivery is counted a moment after it
		text = string(r.scrape())
		if !slices.ContainsFunc(want, lacks) || time.Now().After(deadline) {
			break
		}
	}
	for _, line := range want {
		if lacks(line) {
			t.Errorf("there is no %s", line)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("a room's name is in the metrics")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestCloseCodesBeginAtZero: each close code that hubs and clients use by themselves has a series before the first close, so that a
// rate sees it. So has each code that an alert names.
func TestCloseCodesBeginAtZero(t *testing.T) {
	r := start(t)
	zero := func(code string) bool {
		return strings.Contains(string(r.scrape()), `hubkit_connections_closed_total{code="`+code+"\"} 0\n")
	}
	for code := protocol.CloseCode(1000); code < 5000; code++ {
		why := code.Explain()
		used := why != "" && !strings.Contains(why, "hubkit does not send it") && !strings.Contains(why, "sent by clients only") && code != protocol.CloseTLSHandshake
		if used && !zero(strconv.Itoa(int(code))) {
			t.Errorf("no series for %s", code)
		}
	}
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, m := range regexp.MustCompile(`code=~?"([0-9|]+)"`).FindAllStringSubmatch(string(text), -1) {
		for code := range strings.SplitSeq(m[1], "|") {
			named++
			if !zero(code) {
				t.Errorf("an alert is about %s, which has no series from the start", code)
			}
		}
	}
	if named == 0 {
		t.Error("no alert names a code")
	}
}

// TestMetricsAreDocumented compares docs/metrics.md with what a collector gives, both ways: names, types, labels and help texts.
func TestMetricsAreDocumented(t *testing.T) {
	text := string(start(t).scrape())
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	type metric struct{ kind, labels, help string }
	documented := make(map[string]metric)
	row := regexp.MustCompile("(?m)^\\| `(hubkit_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\| (.+) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = metric{m[2], strings.ReplaceAll(m[3], "`", ""), m[4]}
	}
	given := make(map[string]metric)
	for _, m := range regexp.MustCompile(`(?m)^# HELP (\S+) (.+)\n# TYPE \S+ (\S+)\n[a-z_]+(?:\{([^}]*)\})? `).FindAllStringSubmatch(text, -1) {
		var labels []string
		for _, l := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(m[4], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		given[m[1]] = metric{m[3], strings.Join(labels, ", "), m[2]}
	}
	if len(given) < 40 {
		t.Errorf("only %d metrics are given", len(given))
	}
	for name, m := range given {
		d := documented[name]
		if slices.Equal(slices.Sorted(strings.SplitSeq(d.labels, ", ")), slices.Sorted(strings.SplitSeq(m.labels, ", "))) {
			d.labels = m.labels // whatever their order
		}
		if d != m {
			t.Errorf("%s is %q; docs/metrics.md has %q", name, m, d)
		}
	}
	for name := range documented {
		if given[name].kind == "" {
			t.Errorf("docs/metrics.md has %s, which no collector gives", name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(hubkit_[a-z_]+)\{([^}]*)\}`).FindAllStringSubmatch(text, -1) {
		for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(m[2], -1) {
			if label[1] != "le" && !slices.Contains([]string{"state", "code", "result", "reason", "kind", "direction", "transport", "codec", "rule", "policy"}, label[1]) {
				t.Errorf("%s has the label %s: is it bounded?", m[1], label[1])
			}
		}
	}
}
