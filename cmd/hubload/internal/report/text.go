package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
)

// Grouped writes a number with commas between thousands.
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := len(s) % 3
	if n < 0 {
		start = 1 + (len(s)-1)%3
	}
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && (i-start)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Millis writes milliseconds with three digits, as seconds from one on.
func Millis(ms float64) string {
	switch {
	case ms >= 1000:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	case ms >= 100:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	case ms >= 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	default:
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	}
}

// Rate writes how many a second.
func Rate(v float64) string {
	if v < 10 {
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	}
	return Grouped(int64(v+0.5)) + "/s"
}

// WriteText writes the result for a terminal.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s "+format+"\n", append([]any{label}, args...)...)
	}
	quantiles := func(label string, q Quantiles) {
		if q.Count > 0 {
			line("  "+label, "p50 %s   p90 %s   p99 %s   p99.9 %s   max %s", Millis(q.P50), Millis(q.P90), Millis(q.P99), Millis(q.P999), Millis(q.Max))
		}
	}
	reasons := func(label string, all load.Reasons) {
		for _, why := range Sorted(all) {
			line("  "+label, "%s × %s", Grouped(all[why]), why)
		}
	}
	c, p, d := r.Connections, r.Publishes, r.Deliveries
	line("connections", "%s of %s ready in %.1f s, %s at the end; %s never ready, %s closed, %s came back",
		Grouped(c.Asked-c.Unready), Grouped(c.Asked), c.Seconds, Grouped(c.AtEnd), Grouped(c.Unready), Grouped(c.Closed), Grouped(c.Reconnected))
	quantiles("connect", c.Connect)
	reasons("failed", c.Failures)
	reasons("closed", c.Closes)
	if p.Sent+p.Skipped > 0 {
		line("published", "%s (%s): %s accepted, %s refused, %s unanswered, %s not sent", Grouped(p.Sent), Rate(p.PerSecond),
			Grouped(p.Accepted), Grouped(p.Refused), Grouped(p.Unanswered), Grouped(p.Skipped))
		reasons("error", p.Errors)
		line("delivered", "%s of %s (%s): %s lost, %s repeated, %s out of order", Grouped(d.Received), Grouped(d.Expected),
			Rate(d.PerSecond), Grouped(d.Lost), Grouped(d.Repeated), Grouped(d.OutOfOrder))
		quantiles("latency", d.Latency)
	}
	if r.Pings.Sent > 0 {
		line("pings", "%s of %s answered", Grouped(r.Pings.Answered), Grouped(r.Pings.Sent))
		quantiles("round trip", r.Pings.Trip)
	}
	if n := r.Notices; n.Gaps+n.GoAways+n.Stale > 0 {
		line("notices", "%s gaps, %s goaways, %s times stale", Grouped(n.Gaps), Grouped(n.GoAways), Grouped(n.Stale))
	}
	fds, limit, cpu := r.tool()
	line("this tool", "%s, %s of %s descriptors in the fullest, %.1f s of CPU", Count(len(r.Processes), "process", "processes"), Grouped(fds), Limit(limit), cpu)
	for _, warning := range r.Warnings {
		line("warning", "%s", warning)
	}
	for _, t := range r.Thresholds {
		line(Mark(t.Held), "-%s %s: %s", t.Flag, t.Limit, t.Value)
	}
	if r.Interrupted {
		line("interrupted", "these are the figures until then")
	}
	if r.Fault != "" {
		line("broken", "%s", r.Fault)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Count writes a number with its noun.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Grouped(int64(n)) + " " + many
}

// Mark says whether a threshold held.
func Mark(held bool) string {
	if held {
		return "held"
	}
	return "NOT HELD"
}

// Limit writes a limit that 0 stands for none of.
func Limit(n int64) string {
	if n == 0 {
		return "unlimited"
	}
	return Grouped(n)
}

func (r *Result) tool() (fds, limit int64, cpu float64) {
	for _, p := range r.Processes {
		if p.FDs >= fds {
			fds, limit = p.FDs, p.FDLimit
		}
		cpu += p.CPU
	}
	return fds, limit, cpu
}

// Sorted are the reasons, the most frequent first.
func Sorted(all load.Reasons) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if all[a] != all[b] {
			return int(all[b] - all[a])
		}
		return strings.Compare(a, b)
	})
}
