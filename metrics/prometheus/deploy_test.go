package prometheus_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

// TestAutoscalerMetric: what the scrape configuration for Kubernetes makes of a pod's labels, and the rule of the adapter of its
// metrics, is the number of connections by pod. Debian's Prometheus cannot ask Kubernetes, so the labels that it would give are
// written down.
func TestAutoscalerMetric(t *testing.T) {
	text := func(name string) string {
		b, err := os.ReadFile("../../deploy/kubernetes/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	r := start(t)
	r.join("r")
	const ask = "    kubernetes_sd_configs:\n      - role: pod\n"
	targets := ""
	for pod, port := range map[string]string{"hub-1": "metrics", "hub-2": "http"} {
		targets += "      - targets: [\"" + r.http.Listener.Addr().String() + "\"]\n        labels:\n" +
			"          __meta_kubernetes_namespace: live\n          __meta_kubernetes_pod_name: " + pod + "\n" +
			"          __meta_kubernetes_pod_label_app_kubernetes_io_name: hub\n" +
			"          __meta_kubernetes_pod_container_port_name: " + port + "\n"
	}
	config := text("prometheus.yml")
	if !strings.Contains(config, ask) || !strings.Contains(config, "interval: 15s") {
		t.Fatal("prometheus.yml is not as this test expects")
	}
	folder, err := filepath.Abs("../../deploy/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	query := servePrometheus(t, strings.NewReplacer(
		ask, "    static_configs:\n"+targets, "../prometheus", folder, "interval: 15s", "interval: 200ms\n    scrape_timeout: 200ms",
	).Replace(config))
	rule := regexp.MustCompile(`metricsQuery: '(.+)'`).FindStringSubmatch(text("prometheus-adapter.yaml"))
	if rule == nil {
		t.Fatal("prometheus-adapter.yaml has no query")
	}
	expr := strings.NewReplacer(
		"<<.Series>>", "hubkit_connections", "<<.LabelMatchers>>", `namespace="live",pod=~"hub-1|hub-2"`, "<<.GroupBy>>", "pod",
	).Replace(rule[1])
	const want = "map[pod:hub-1] 1"
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		var got []string
		for _, s := range query(expr) {
			got = append(got, fmt.Sprint(s.Metric, " ", s.Value[1]))
		}
		if slices.Equal(got, []string{want}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %q, want %q", expr, got, want)
		}
	}
}

// query is one of the dashboard's.
type query struct{ panel, expr string }

// queries are all of the dashboard, with its variables replaced.
func queries(t *testing.T) (all []query) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/hubkit.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer("$__rate_interval", "3s", "$instance", ".+")
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %s has no query", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, query{p.Title, replace.Replace(target.Expr)})
		}
	}
	return all
}

// TestDashboardHasData: a real Prometheus that scrapes a hub under load answers every query of the dashboard with a number.
func TestDashboardHasData(t *testing.T) {
	all := queries(t)
	r := start(t, hub.WithMemoryBudget(64<<20), hub.WithMaxConns(1000), hub.WithHeartbeat(heartbeat.Policy{
		Interval: 2 * time.Second, Timeout: 2 * time.Second,
	}))
	if err := r.hub.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, nil }, hub.Heavy()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		r.join("r")
	}
	_ = r.join("r").Close()
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_, _ = r.hub.Publish(context.Background(), "r", []byte("1")) // the hub outlives this
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	query := servePrometheus(t, "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n"+
		"- job_name: hubkit\n  static_configs: [{targets: [\""+r.http.Listener.Addr().String()+"\"]}]\n")
	ask := func(expr string) bool {
		return slices.ContainsFunc(query(expr), func(s series) bool { v, ok := s.Value[1].(string); return ok && v != "NaN" })
	}
	deadline := time.Now().Add(60 * time.Second)
	for len(all) > 0 {
		missing := all[:0:0]
		for _, q := range all {
			if !ask(q.expr) {
				missing = append(missing, q)
			}
		}
		all = missing
		if len(all) > 0 && time.Now().After(deadline) {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	for _, q := range all {
		t.Errorf("panel %s has no data: %s", q.panel, q.expr)
	}
}

// series is one of the answers to a query: its labels, and the time and the value.
type series struct {
	Metric map[string]string
	Value  [2]any
}

// servePrometheus starts a Prometheus. The function that it returns asks it a query.
func servePrometheus(t *testing.T, text string) (query func(expr string) []series) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("prometheus (apt-get install prometheus): %v", err)
	}
	ready, ended := make(chan struct{}), make(chan string)
	go func() {
		var last strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if strings.Contains(lines.Text(), "Server is ready") {
				close(ready)
			}
			if last.Len() < 1<<16 {
				last.WriteString(lines.Text() + "\n")
			}
		}
		ended <- last.String()
	}()
	gone := false
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if !gone {
			<-ended
		}
		_ = cmd.Wait()
	})
	select {
	case <-ready:
	case out := <-ended:
		gone = true
		t.Fatalf("prometheus has ended:\n%s", out)
	case <-time.After(30 * time.Second):
		t.Fatal("prometheus is not ready after 30 s")
	}
	return func(expr string) []series {
		resp, err := http.Get("http://" + addr + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Error string
			Data  struct{ Result []series }
		}
		if err := json.Unmarshal(body, &answer); err != nil || answer.Error != "" {
			t.Fatalf("%s: %v %s", expr, err, answer.Error)
		}
		return answer.Data.Result
	}
}
