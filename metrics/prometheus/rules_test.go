package prometheus_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	rules     = "../../deploy/prometheus/hubkit.rules.yml"
	ruleTests = "../../deploy/prometheus/hubkit.test.yml"
)

// TestRules: promtool takes the alert rules and the scrape configuration, and the alerts fire when they should.
func TestRules(t *testing.T) {
	tool(t, nil, "promtool", "check", "rules", rules)
	tool(t, nil, "promtool", "check", "config", "../../deploy/prometheus/prometheus.yml")
	tool(t, nil, "promtool", "test", "rules", ruleTests)
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alerts are the names of all.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^\s+- alert: (\w+)$`).FindAllStringSubmatch(readText(t, rules), -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		t.Errorf("only %d alerts were found", len(names))
	}
	return names
}

// TestAlertsAreTested: promtool is given a time at which each alert fires, and one at which it does not.
func TestAlertsAreTested(t *testing.T) {
	fires, rests := make(map[string]bool), make(map[string]bool)
	for _, m := range regexp.MustCompile(`alertname: (\w+)(\n\s+exp_alerts:\n)?`).FindAllStringSubmatch(readText(t, ruleTests), -1) {
		if m[2] != "" {
			fires[m[1]] = true
		} else {
			rests[m[1]] = true
		}
	}
	for _, name := range alerts(t) {
		if !fires[name] || !rests[name] {
			t.Errorf("hubkit.test.yml does not test %s: it fires %t, it does not fire %t", name, fires[name], rests[name])
		}
	}
}

// TestMetricsExist: the collector has each metric that alerts, their tests, the dashboard and the documentation name, with each label
// and value that is asked for.
func TestMetricsExist(t *testing.T) {
	text := string(start(t).scrape())
	given := make(map[string]string) // labels of each series by name
	for _, m := range regexp.MustCompile(`(?m)^(hubkit_[a-z_]+)(?:\{(.*)\})? `).FindAllStringSubmatch(text, -1) {
		given[m[1]] += m[2] + "\n"
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) histogram$`).FindAllStringSubmatch(text, -1) {
		given[m[1]] = "\n" // which texts name, and no query
	}
	named := regexp.MustCompile(`\b(hubkit_[a-z_]+)(?:\{([^}]*)\})?`)
	selector := regexp.MustCompile(`([a-z_]+)(=~?)"([^"]*)"`)
	ours := []string{"le", "instance", "namespace", "pod"} // what a histogram and Prometheus add
	check := func(file, text string, least int) {
		found := named.FindAllStringSubmatch(text, -1)
		if len(found) < least {
			t.Errorf("%s names only %d metrics", file, len(found))
		}
		for _, m := range found {
			series, ok := given[m[1]]
			if !ok {
				t.Errorf("%s has %s, which no collector gives", file, m[1])
				continue
			}
			for _, s := range selector.FindAllStringSubmatch(m[2], -1) {
				values := []string{s[3]}
				if s[2] == "=~" {
					values = strings.Split(s[3], "|")
				}
				for _, v := range values {
					if !slices.Contains(ours, s[1]) && !strings.Contains(series, s[1]+`="`+v+`"`) {
						t.Errorf("%s asks for %s with %s=%q, which no collector gives", file, m[1], s[1], v)
					}
				}
			}
		}
	}
	check("hubkit.rules.yml", readText(t, rules), 14)
	check("hubkit.test.yml", readText(t, ruleTests), 28)
	var exprs strings.Builder
	for _, q := range queries(t) {
		exprs.WriteString(q.expr + "\n")
	}
	check("hubkit.json", exprs.String(), 28)
	check("prometheus-adapter.yaml", readText(t, "../../deploy/kubernetes/prometheus-adapter.yaml"), 1)
	check("docs/operations.md", readText(t, "../../docs/operations.md"), 5)
	check("docs/metrics.md", readText(t, "../../docs/metrics.md"), 60)
}

// TestAlertsHaveRunbooks: docs/operations.md has a section for each alert, and none for others.
func TestAlertsHaveRunbooks(t *testing.T) {
	all := alerts(t)
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^### (Hubkit\w+)\n\n\S`).FindAllStringSubmatch(readText(t, "../../docs/operations.md"), -1) {
		sections = append(sections, m[1])
	}
	for _, name := range all {
		if !slices.Contains(sections, name) {
			t.Errorf("docs/operations.md has no section about the alert %s", name)
		}
	}
	for _, name := range sections {
		if !slices.Contains(all, name) {
			t.Errorf("docs/operations.md is about the alert %s, which there is not", name)
		}
	}
}
