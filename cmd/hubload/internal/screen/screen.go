// Package screen shows a test while it is under way: bars on a terminal, lines anywhere else.
package screen

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/fleet"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/report"
)

// A Screen shows progress. Its methods are called from one goroutine.
type Screen interface {
	Show(p fleet.Progress)
	// Close leaves the last state to be read.
	Close()
}

// New returns the Screen that fits out.
func New(out *os.File, p *plan.Plan, quiet bool) Screen {
	switch {
	case quiet:
		return silent{}
	case term.IsTerminal(int(out.Fd())):
		return newBars(out, p)
	default:
		return &lines{out: out}
	}
}

type silent struct{}

func (silent) Show(fleet.Progress) {}
func (silent) Close()              {}

// lines writes a line a second.
type lines struct {
	out  io.Writer
	last time.Time
}

func (l *lines) Show(p fleet.Progress) {
	if now := time.Now(); now.Sub(l.last) >= 950*time.Millisecond {
		l.last = now
		_, _ = fmt.Fprintf(l.out, "%6.1fs  %-10s  %s\n", p.Point.T, p.Phase, summary(p))
	}
}

func (l *lines) Close() {}

// summary is what matters in a phase.
func summary(p fleet.Progress) string {
	s := fmt.Sprintf("%s open", report.Grouped(p.Open))
	if p.Phase == fleet.Connecting {
		s += fmt.Sprintf("  %s", rates(p.Point.Connects, p.Point.Connect))
	}
	if p.Failed > 0 {
		s += fmt.Sprintf("  %s failed", report.Grouped(p.Failed))
	}
	if p.Closed > 0 {
		s += fmt.Sprintf("  %s closed", report.Grouped(p.Closed))
	}
	if p.Sent > 0 {
		s += fmt.Sprintf("  %s sent  %s delivered  %s", report.Grouped(p.Sent), report.Grouped(p.Received), rates(p.Point.Delivered, p.Point.Delivery))
	}
	if p.Pings > 0 {
		s += fmt.Sprintf("  pings %s/%s  p99 %s", report.Grouped(p.Pongs), report.Grouped(p.Pings), report.Millis(p.Point.Ping.P99))
	}
	return s + "  fds " + descriptors(p)
}

func rates(perSecond float64, q report.Quantiles) string {
	s := report.Rate(perSecond)
	if q.Count > 0 {
		s += "  p50 " + report.Millis(q.P50) + "  p99 " + report.Millis(q.P99)
	}
	return s
}

// descriptors are those of the fullest process.
func descriptors(p fleet.Progress) string {
	return report.Grouped(p.FDs) + "/" + report.Limit(p.FDLimit)
}
