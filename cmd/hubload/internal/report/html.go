package report

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
)

// The page is one file: uPlot 1.6.32 (MIT, page/uPlot.LICENSE), the style and the script are put into it.
//
//go:embed page
var page embed.FS

var pageTemplate = template.Must(template.New("report.html").Funcs(template.FuncMap{
	"asset":   asset,
	"grouped": Grouped,
	"millis":  Millis,
	"rate":    Rate,
	"limit":   Limit,
	"sorted":  Sorted,
	"mb":      func(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/(1<<20)) },
	"int64":   func(n int) int64 { return int64(n) },
	"row": func(name string, q Quantiles) any {
		return struct {
			Name string
			Q    Quantiles
		}{name, q}
	},
	"reasons": func(name string, all load.Reasons) any {
		return struct {
			Name string
			All  load.Reasons
		}{name, all}
	},
	"seconds": func(s float64) string { return fmt.Sprintf("%.1f s", s) },
}).ParseFS(page, "page/report.html"))

// asset is a file of the page, which is trusted: it is part of this program.
func asset(name string) (any, error) {
	b, err := page.ReadFile("page/" + name)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".css") {
		return template.CSS(b), nil //nolint:gosec // our own file
	}
	return template.JS(b), nil //nolint:gosec // our own file
}

// WriteHTML writes a page with charts, which loads nothing from anywhere.
func (r *Result) WriteHTML(w io.Writer) error {
	data, err := json.Marshal(struct {
		Timeline []Point      `json:"timeline"`
		Connect  [][2]float64 `json:"connect"`
		Delivery [][2]float64 `json:"delivery"`
		Pings    bool         `json:"pings"`
		Messages bool         `json:"messages"`
	}{r.Timeline, r.ConnectDistribution, r.DeliveryDistribution, r.Pings.Sent > 0, r.Publishes.Sent > 0})
	if err != nil {
		return err
	}
	return pageTemplate.Execute(w, struct {
		*Result
		Data template.JS
	}{r, template.JS(data)}) //nolint:gosec // json.Marshal escapes < and >
}

// Headline is the first sentence of the page.
func (r *Result) Headline() string {
	switch {
	case r.Outcome == Broken:
		return "The test broke"
	case r.Outcome == NotHeld:
		return "A threshold did not hold"
	case r.Interrupted:
		return "The test was interrupted"
	case len(r.Thresholds) > 0:
		return "All thresholds held"
	default:
		return "No thresholds were given"
	}
}

// Tone is the color of the headline.
func (r *Result) Tone() string {
	switch {
	case r.Outcome != Held:
		return "bad"
	case r.Interrupted || len(r.Thresholds) == 0:
		return "plain"
	default:
		return "good"
	}
}

// Rows are the settings that matter, as the page lists them.
func (r *Result) Rows() [][2]string {
	p := r.Settings
	rows := [][2]string{
		{"Server", strings.Join(p.Targets, ", ")},
		{"Mode", string(p.Mode)},
		{"Connections", fmt.Sprintf("%s, ramp %s", Grouped(int64(p.Conns)), ramp(p.Ramp))},
	}
	if p.Rate > 0 {
		rows = append(rows,
			[2]string{"Rooms", fmt.Sprintf("%s, %d per connection", Grouped(int64(p.Rooms)), p.RoomsPerConn)},
			[2]string{"Messages", fmt.Sprintf("%v/s of %d bytes from %s", p.Rate, p.Size, Count(p.Streams(), "connection", "connections"))})
	}
	rows = append(rows, [2]string{"Duration", p.Duration.String()})
	if p.PingEvery > 0 {
		rows = append(rows, [2]string{"Pings", "every " + p.PingEvery.String()})
	}
	if p.Reconnect {
		rows = append(rows, [2]string{"Reconnect", "with backoff and hints"})
	}
	e := r.Environment
	return append(rows,
		[2]string{"Started", r.Started.Format("2006-01-02 15:04:05 MST")},
		[2]string{"Machine", fmt.Sprintf("%s/%s, %d CPUs, %s", e.OS, e.Arch, e.CPUs, e.Go)},
		[2]string{"Tool", "hubload " + e.Version})
}

func ramp(v float64) string {
	if v == 0 {
		return "as fast as the server takes them"
	}
	return Rate(v)
}
