package dash_test

import (
	"testing"

	"github.com/gohubkit/hubkit/internal/browser"
)

// TestRecentFigures: the quantiles of the page are of the last 30 s. What came before, or before a node's restart, has no part in them.
func TestRecentFigures(t *testing.T) {
	s := start(t, nil)
	tab := browser.Start(t).Open("dash", s.url)
	const script = `(async () => {
		const { Figures, span } = await import("./figures.js");
		const figures = new Figures();
		const told = [];
		const node = (name, since, a, b) => {
			const h = { bounds: [0.001, 1], counts: [a, b, 0] };
			return { node: name, since, conns: 1, rooms: 1, users: 1, stats: { backlog_bytes: 0, slow_conns: 0, latency: h, round_trips: h } };
		};
		const show = (time, ...nodes) => {
			const page = figures.add({ time_ms: time * 1000, nodes });
			const n = page.nodes.map((n) => [n.latency.quantile(0.99) ?? "-", n.trips.quantile(0.5) ?? "-"].join(" "));
			told.push([...n, page.all.latency.quantile(0.99) ?? "-"].join(", "));
		};
		show(0, node("a", "x", 0, 1000), node("b", "x", 0, 0)); // slow ones before the page was opened
		show(1, node("a", "x", 0, 1000), node("b", "x", 0, 10));
		show(2, node("a", "x", 10, 1000), node("b", "x", 0, 10));
		show(30, node("a", "x", 20, 1000), node("b", "x", 10, 10));
		show(32, node("a", "x", 30, 1000), node("b", "x", 20, 10)); // b's slow ones are more than 30 s ago
		show(33, node("a", "y", 0, 5), node("b", "x", 20, 10)); // a has restarted
		show(34, node("a", "y", 0, 6), { node: "c", since: "x", conns: 1, rooms: 1, users: 1 });
		return [span, ...told];
	})()`
	var got []string
	tab.Into(script, &got)
	want := []string{
		"30 s",
		"- -, - -, -",
		"- -, 1 1, 1",
		"0.001 0.001, 1 1, 1",
		"0.001 0.001, 1 0.001, 1",
		"0.001 0.001, 0.001 0.001, 0.001",
		"- -, 0.001 0.001, 0.001",
		"1 1, - -, 1",
	}
	for i, line := range want {
		if i >= len(got) || got[i] != line {
			t.Errorf("line %d of %q is not %q", i, got, line)
		}
	}
	for _, title := range []string{"p99, 30 s", "Ping p50, 30 s", "p99 of the last 30 s"} {
		tab.Await(`document.getElementById("overview").textContent.includes("` + title + `")`)
	}
}
