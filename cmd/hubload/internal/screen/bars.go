package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/fleet"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/report"
)

const barWidth = 28

// Colors of a terminal.
const (
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// bars are two progress bars, of connecting and of measuring, over lines of figures.
type bars struct {
	all              *mpb.Progress
	connect, measure *mpb.Bar
	last             atomic.Pointer[fleet.Progress]
	began            time.Time // of the measurement
	duration         time.Duration
}

func newBars(out *os.File, p *plan.Plan) *bars {
	b := &bars{duration: p.Duration}
	b.last.Store(&fleet.Progress{})
	b.all = mpb.New(mpb.WithOutput(out), mpb.WithWidth(barWidth), mpb.WithRefreshRate(200*time.Millisecond))
	style := mpb.BarStyle().Lbound("").Filler("█").Tip("█").Padding("░").Rbound("")
	figures := func(s func(fleet.Progress) string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string { return "  " + s(*b.last.Load()) })
	}
	b.connect = b.all.New(int64(p.Conns), style, mpb.PrependDecorators(decor.Name(label("connect"))),
		mpb.AppendDecorators(figures(func(pr fleet.Progress) string {
			return fmt.Sprintf("%s of %s open  %s failed  %s closed", report.Grouped(pr.Open), report.Grouped(int64(p.Conns)),
				report.Grouped(pr.Failed), report.Grouped(pr.Closed))
		})))
	b.measure = b.all.New(int64(p.Duration), style, mpb.PrependDecorators(decor.Name(label("measure"))),
		mpb.AppendDecorators(figures(func(pr fleet.Progress) string { return pr.Phase })))
	b.line("published", func(pr fleet.Progress) string {
		return fmt.Sprintf("%s of %s  %s  %s refused", report.Grouped(pr.Sent), report.Grouped(pr.Planned), report.Rate(pr.Point.Published), report.Grouped(pr.Refused))
	})
	b.line("delivered", func(pr fleet.Progress) string {
		return fmt.Sprintf("%s  %s", report.Grouped(pr.Received), rates(pr.Point.Delivered, pr.Point.Delivery))
	})
	if p.PingEvery > 0 {
		b.line("pings", func(pr fleet.Progress) string {
			return fmt.Sprintf("%s of %s answered  p99 %s", report.Grouped(pr.Pongs), report.Grouped(pr.Pings), report.Millis(pr.Point.Ping.P99))
		})
	}
	b.line("descriptors", func(pr fleet.Progress) string {
		s := descriptors(pr) + " in the fullest process"
		if len(pr.Warnings) > 0 {
			s += "  " + yellow + strings.Join(pr.Warnings, "; ") + plain
		}
		return s
	})
	return b
}

func label(s string) string { return fmt.Sprintf("%-12s", s) }

// line is a bar without a bar. Only a Progress that was shut down refuses it.
func (b *bars) line(name string, s func(fleet.Progress) string) {
	_, _ = b.all.Add(1, mpb.BarFillerFunc(func(w io.Writer, _ decor.Statistics) error {
		_, err := io.WriteString(w, label(name)+s(*b.last.Load()))
		return err
	}), mpb.BarFillerTrim())
}

// Show is called by the test.
func (b *bars) Show(p fleet.Progress) {
	b.last.Store(&p)
	b.connect.SetCurrent(p.Open)
	switch p.Phase {
	case fleet.Measuring:
		if b.began.IsZero() {
			b.began = time.Now()
		}
		b.measure.SetCurrent(int64(min(time.Since(b.began), b.duration-1)))
	case fleet.Draining:
		b.measure.SetCurrent(int64(b.duration) - 1)
	}
}

// Close stops drawing and leaves what was drawn last.
func (b *bars) Close() { b.all.Shutdown() }
