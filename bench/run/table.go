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
	better better
}

// better says which of two values is.
type better int

const (
	neither better = iota
	less
	more
)

var (
	rss        = column{"RSS/connection, KB", "%.1f", func(r result.Result) float64 { return r.RSSPerConnKB }, less}
	heap       = column{"heap/connection, KB", "%.1f", func(r result.Result) float64 { return r.HeapPerConnKB }, less}
	goroutines = column{"goroutines", "%.0f", func(r result.Result) float64 { return float64(r.Goroutines) }, less}
	cpu        = column{"CPU s/million", "%.3g", func(r result.Result) float64 { return r.CPUPerMillion }, less}
	clientCPU  = column{"client CPU s/million", "%.3g", func(r result.Result) float64 { return r.ClientCPU }, neither}
	publisher  = column{"publisher CPU s/million", "%.3g", func(r result.Result) float64 { return r.PublisherCPU }, less}
	redis      = column{"Redis CPU s/million", "%.3g", func(r result.Result) float64 { return r.RedisCPU }, less}
	perSecond  = column{"per second", "%.0f", func(r result.Result) float64 { return r.PerSecond }, more}
	paceHeld   = column{"per second", "%.0f", func(r result.Result) float64 { return r.PerSecond }, neither}
	mallocs    = column{"mallocs each", "%.2f", func(r result.Result) float64 { return r.MallocsPerUnit }, less}
	p50        = column{"p50, ms", "%.2f", func(r result.Result) float64 { return r.P50ms }, less}
	p99        = column{"p99, ms", "%.2f", func(r result.Result) float64 { return r.P99ms }, less}
	lost       = column{"lost", "%.0f", func(r result.Result) float64 { return float64(r.Expected - r.Received) }, neither}
	cut        = column{"cut off", "%.0f", func(r result.Result) float64 { return float64(r.Disconnected) }, neither}
	left       = column{"left behind", "%.0f", func(r result.Result) float64 { return float64(r.ConnsLeft) }, neither}
)

// columns of a kind of test; the first is the one compared.
var columns = map[string][]column{
	"idle":   {rss, heap, goroutines},
	"fanout": {cpu, perSecond, mallocs, lost, cut, clientCPU},
	"paced":  {cpu, p50, p99, mallocs, lost, cut, clientCPU},
	"rooms":  {cpu, perSecond, mallocs, lost, cut, clientCPU},
	"nodes":  {cpu, publisher, redis, paceHeld, p50, p99, mallocs, lost, cut, clientCPU},
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

// row is what one server's rounds of a test come to.
type row struct {
	peer   string
	rounds int
	// values are medians, one for each column. Losses are summed instead, since a median would hide them.
	values []float64
	// whole says that nothing was lost in any round: who drops half of the work is not the best at it. Nor is the
	// floor, which nobody could use.
	whole bool
}

func (r record) rows() (rows []row) {
	cs := columns[r.Kind]
	for _, name := range r.Peers {
		own := slices.DeleteFunc(slices.Clone(r.Results), func(one result.Result) bool { return one.Peer != name })
		one := row{peer: name, rounds: len(own), values: make([]float64, len(cs))}
		if one.rounds > 0 {
			for i, c := range cs {
				one.values[i] = median(own, c.value)
				if c.name == lost.name || c.name == cut.name || c.name == left.name {
					one.values[i] = sum(own, c.value)
				}
			}
			one.whole = sum(own, lost.value) == 0 && sum(own, cut.value) == 0
		}
		rows = append(rows, one)
	}
	return rows
}

// best is the best value of a column among those that have lost nothing; false where there is none.
func best(rows []row, i int, c column) (v float64, ok bool) {
	for _, r := range rows {
		if r.rounds == 0 || !r.whole || r.peer == floor || c.better == neither {
			continue
		}
		if !ok || c.better == less && r.values[i] < v || c.better == more && r.values[i] > v {
			v, ok = r.values[i], true
		}
	}
	return v, ok
}

// writeTable writes a test's figures, the best of each in bold.
func (r record) writeTable(w io.Writer) {
	cs, rows := columns[r.Kind], r.rows()
	_, _ = fmt.Fprintf(w, "\n### %s\n\nMedian of %d rounds.", r.Heading, r.Rounds)
	if r.several() {
		_, _ = fmt.Fprint(w, " The rounds are of several runs, which are listed at the end of the page by their numbers. Compare rows of "+
			"the same runs only.")
	}
	_, _ = fmt.Fprint(w, "\n\n| server |")
	for i, c := range cs {
		_, _ = fmt.Fprintf(w, " %s |", c.name)
		if i == 0 {
			_, _ = fmt.Fprint(w, " × |")
		}
	}
	_, _ = fmt.Fprint(w, " rounds |")
	n := len(cs) + 2
	if r.several() {
		_, _ = fmt.Fprint(w, " runs |")
		n++
	}
	_, _ = fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---:|", n))
	for _, one := range rows {
		if one.rounds == 0 {
			_, _ = fmt.Fprintf(w, "| %s | failed |\n", one.peer)
			continue
		}
		_, _ = fmt.Fprintf(w, "| %s |", one.peer)
		for i, c := range cs {
			text := fmt.Sprintf(c.format, one.values[i])
			if v, ok := best(rows, i, c); ok && one.whole && one.peer != floor && text == fmt.Sprintf(c.format, v) {
				text = "**" + text + "**"
			}
			_, _ = fmt.Fprintf(w, " %s |", text)
			if i == 0 {
				_, _ = fmt.Fprintf(w, " %s |", ratio(one.values[0], rows[0].values[0]))
			}
		}
		_, _ = fmt.Fprintf(w, " %d |", one.rounds)
		if r.several() {
			_, _ = fmt.Fprintf(w, " %s |", strings.Trim(fmt.Sprint(r.runs[one.peer]), "[]"))
		}
		_, _ = fmt.Fprintln(w)
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
