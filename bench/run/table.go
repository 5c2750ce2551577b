package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gohubkit/hubkit/bench/internal/result"
)

// column is a figure of a result.
type column struct {
	name   string
	format string
	value  func(result.Result) float64
}

var (
	rss        = column{"RSS/connection, KB", "%.1f", func(r result.Result) float64 { return r.RSSPerConnKB }}
	heap       = column{"heap/connection, KB", "%.1f", func(r result.Result) float64 { return r.HeapPerConnKB }}
	goroutines = column{"goroutines", "%.0f", func(r result.Result) float64 { return float64(r.Goroutines) }}
	cpu        = column{"CPU s/million", "%.3g", func(r result.Result) float64 { return r.CPUPerMillion }}
	clientCPU  = column{"client CPU s/million", "%.3g", func(r result.Result) float64 { return r.ClientCPU }}
	publisher  = column{"publisher CPU s/million", "%.3g", func(r result.Result) float64 { return r.PublisherCPU }}
	redis      = column{"Redis CPU s/million", "%.3g", func(r result.Result) float64 { return r.RedisCPU }}
	perSecond  = column{"per second", "%.0f", func(r result.Result) float64 { return r.PerSecond }}
	mallocs    = column{"mallocs each", "%.2f", func(r result.Result) float64 { return r.MallocsPerUnit }}
	p50        = column{"p50, ms", "%.2f", func(r result.Result) float64 { return r.P50ms }}
	p99        = column{"p99, ms", "%.2f", func(r result.Result) float64 { return r.P99ms }}
	lost       = column{"lost", "%.0f", func(r result.Result) float64 { return float64(r.Expected - r.Received) }}
	cut        = column{"cut off", "%.0f", func(r result.Result) float64 { return float64(r.Disconnected) }}
	left       = column{"left behind", "%.0f", func(r result.Result) float64 { return float64(r.ConnsLeft) }}
)

// columns of a kind of test; the first is the one compared.
var columns = map[string][]column{
	"idle":   {rss, heap, goroutines},
	"fanout": {cpu, perSecond, mallocs, lost, cut, clientCPU},
	"paced":  {cpu, p50, p99, mallocs, lost, cut, clientCPU},
	"rooms":  {cpu, perSecond, mallocs, lost, cut, clientCPU},
	"nodes":  {cpu, publisher, redis, perSecond, p50, p99, mallocs, lost, cut, clientCPU},
	"echo":   {cpu, perSecond, p50, p99, mallocs, lost, cut, clientCPU},
	"storm":  {cpu, perSecond, mallocs, clientCPU},
	"churn":  {cpu, perSecond, goroutines, left, clientCPU},
}

// brief is one result on one line.
func brief(t test, r result.Result) string {
	var b strings.Builder
	for i, c := range columns[t.kind] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s "+c.format, c.name, c.value(r))
	}
	return b.String()
}

// printTable writes medians. Losses are summed instead, since a median would hide them.
func printTable(w io.Writer, t test, ps []peer, rs []result.Result, o *options) {
	cs := columns[t.kind]
	_, _ = fmt.Fprintf(w, "\n### %s\n\nMedian of %d rounds.\n\n| server |", t.describe(o), o.rounds)
	for i, c := range cs {
		_, _ = fmt.Fprintf(w, " %s |", c.name)
		if i == 0 {
			_, _ = fmt.Fprint(w, " × |")
		}
	}
	_, _ = fmt.Fprintf(w, " rounds |\n|---|%s\n", strings.Repeat("---:|", len(cs)+2))
	base := 0.0
	for i, p := range ps {
		own := slices.DeleteFunc(slices.Clone(rs), func(r result.Result) bool { return r.Peer != p.name })
		if len(own) == 0 {
			_, _ = fmt.Fprintf(w, "| %s | failed |\n", p.name)
			continue
		}
		first := median(own, cs[0].value)
		if i == 0 {
			base = first
		}
		_, _ = fmt.Fprintf(w, "| %s | "+cs[0].format+" | %s |", p.name, first, ratio(first, base))
		for _, c := range cs[1:] {
			v := median(own, c.value)
			if c.name == lost.name || c.name == cut.name || c.name == left.name {
				v = sum(own, c.value)
			}
			_, _ = fmt.Fprintf(w, " "+c.format+" |", v)
		}
		_, _ = fmt.Fprintf(w, " %d |\n", len(own))
	}
}

func ratio(v, base float64) string {
	if base <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", v/base)
}

func median(rs []result.Result, value func(result.Result) float64) float64 {
	vs := make([]float64, len(rs))
	for i, r := range rs {
		vs[i] = value(r)
	}
	slices.Sort(vs)
	if n := len(vs); n%2 == 0 {
		return (vs[n/2-1] + vs[n/2]) / 2
	}
	return vs[len(vs)/2]
}

func sum(rs []result.Result, value func(result.Result) float64) (total float64) {
	for _, r := range rs {
		total += value(r)
	}
	return total
}
