package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/bench/internal/result"
)

func measured(name string, figures map[string]float64) record {
	t := tests[position(name)]
	r := record{Test: t.name, Kind: t.kind, Title: t.title, Heading: t.title + ": few", Rounds: 1}
	for _, p := range peers {
		if v, ok := figures[p.name]; ok {
			r.Peers = append(r.Peers, p.name)
			r.Results = append(r.Results, result.Result{Peer: p.name, Test: name, CPUPerMillion: v})
		}
	}
	return r
}

// Tests that are run one by one end up on one page, in the order of the table, the last run of each.
func TestRecords(t *testing.T) {
	dir := t.TempDir()
	for _, r := range []record{
		measured("echo", map[string]float64{"hubkit": 7, "gws": 9}),
		measured("fanout", map[string]float64{"hubkit": 5, "hubkit-v1": 4, "gws": 2, "nbio": 3}),
		measured("echo", map[string]float64{"hubkit": 8, "gws": 12}),
	} {
		rs, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := rs.put(r); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "peers.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{
		"| One room, full rate | CPU s/million | 5 | – | 4 | – | **gws 2** | 0.40 | – | 0.50 | – |\n",
		"| Echoes | CPU s/million | **8** | – | – | – | gws 12 | 1.50 | – | – | – |\n",
		"| gws | **2** | 0.40 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Count(text, "### Echoes") != 1 || strings.Index(text, "### Echoes") < strings.Index(text, "### One room") {
		t.Errorf("not in order:\n%s", text)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "peers.svg"))
	if err != nil || !strings.Contains(string(svg), "<svg") || !strings.Contains(string(svg), ">gws<") {
		t.Errorf("no chart with gws: %v in %d bytes", err, len(svg))
	}
	if err := os.WriteFile(filepath.Join(dir, "peers.json"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(dir); err == nil {
		t.Error("results that cannot be read are overwritten")
	}
}

// What a run that was stopped has not measured, the next one does; the page says which run a row is of.
func TestContinue(t *testing.T) {
	dir := t.TempDir()
	first := measured("echo", map[string]float64{"hubkit": 8, "gws": 12})
	first.Run, first.Heading = "first", tests[position("echo")].describe(&options{size: 128, scale: 1})
	second := measured("echo", map[string]float64{"hubkit": 6, "nbio": 3})
	second.Run, second.Heading = "second", first.Heading
	for _, r := range []record{first, second} {
		rs, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		rs.more = true
		if err := rs.put(r); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	text := page(kept.all)
	for _, want := range []string{"| hubkit | 7 | 1.00 |", "| 2 | 1 2 |\n", "| gws | 12 | 1.71 |", "| 1 | 1 |\n", "| nbio | **3** |", "| 1 | 2 |\n", "\n2. "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	kept.more = true
	ts, err := chooseTests("echo", &options{scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	ps, err := choosePeers("hubkit,gws,nbio,floor")
	if err != nil {
		t.Fatal(err)
	}
	o := &options{size: 128, scale: 1, rounds: 2}
	jobs, err := newJobs(ts, ps, kept, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(jobs[0].record.Peers, " "); got != "gws nbio floor" {
		t.Errorf("measured again: %s", got)
	}
	if n, _ := jobs[0].estimate(nil, o); n != 4 { // gws and nbio one round, floor two
		t.Errorf("%d runs, not 4", n)
	}
	if _, err := newJobs(ts, ps, kept, &options{size: 64, rounds: 2}); err == nil {
		t.Error("results of other sizes are mixed")
	}
}

func TestVersions(t *testing.T) {
	vs, err := versions(t.Context(), peers)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		if p.module != "" && !strings.Contains(vs[p.name], p.module+" v") {
			t.Errorf("%s is on %q", p.name, vs[p.name])
		}
	}
}
