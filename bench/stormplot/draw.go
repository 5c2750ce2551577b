package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/gohubkit/hubkit/internal/storm"
)

const (
	clients = 100_000
	rate    = 2000
	tenth   = 100 * time.Millisecond
	shown   = 100 * time.Second // of the storm
)

// panels are the storms, from worst to best.
var panels = []struct {
	plan  storm.Plan
	title string
	color color.Color
}{
	{storm.Naive, "Without: a try each second", color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}},
	{storm.Crashed, "After a crash: backoff, then places in the queue", color.RGBA{R: 0x1f, G: 0x6f, B: 0xb4, A: 0xff}},
	{storm.Hinted, "After a restart with a hint", color.RGBA{R: 0x2a, G: 0x80, B: 0x3c, A: 0xff}},
}

// canvas draws the panels one above the other, with the same axes.
func canvas() (*vgsvg.Canvas, error) {
	plots := make([]*plot.Plot, len(panels))
	for i, p := range panels {
		s := storm.Storm{
			Plan: p.plan, Clients: clients, Rate: rate, Burst: rate / 50,
			Latency: 50 * time.Millisecond, Seed: 1, Limit: time.Hour,
		}
		r, err := s.Run()
		if err != nil {
			return nil, err
		}
		panel, err := newPanel(p.title, p.color, r.Arrivals)
		if err != nil {
			return nil, err
		}
		plots[i] = panel
	}
	plots[len(plots)-1].X.Label.Text = "seconds since all connections were lost"
	c := vgsvg.New(22*vg.Centimeter, 24*vg.Centimeter)
	dc := draw.New(c)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadX: vg.Millimeter, PadY: 5 * vg.Millimeter,
		PadTop: 3 * vg.Millimeter, PadBottom: 3 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 6 * vg.Millimeter}
	for i, p := range plots {
		p.Draw(tiles.At(dc, 0, i)) // labels are of the same width in all, and so the axes meet
	}
	return c, nil
}

// newPanel draws the arrivals of one storm in steps of 100 ms, on a logarithmic scale: from a few to all clients.
func newPanel(title string, c color.Color, arrivals []time.Duration) (*plot.Plot, error) {
	p := plot.New()
	peak := storm.Peak(arrivals, tenth)
	p.Title.Text = fmt.Sprintf("%s: %s handshakes, at most %s per 100 ms", title, grouped(len(arrivals)), grouped(peak))
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Title.Padding = vg.Points(6)
	p.Y.Label.Text = "per 100 ms"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, powers{}
	p.X.Tick.Marker = every10s{}
	p.Add(plotter.NewGrid())

	var steps plotter.XYs
	for i, n := range storm.Count(arrivals, tenth) {
		at := time.Duration(i) * tenth
		if at >= shown {
			break
		}
		// A logarithmic scale has no zero: none is drawn as one.
		steps = append(steps, plotter.XY{X: at.Seconds(), Y: math.Max(1, float64(n))})
	}
	line, err := plotter.NewLine(steps)
	if err != nil {
		return nil, err
	}
	line.StepStyle, line.Color, line.Width = plotter.PostStep, c, vg.Points(0.8)
	allowed := 1.2 * rate * tenth.Seconds()
	bound := plotter.NewFunction(func(float64) float64 { return allowed })
	bound.Dashes, bound.Width = []vg.Length{vg.Points(4), vg.Points(3)}, vg.Points(1)
	p.Add(line, bound)
	if peak < clients {
		// Else there is no room to write.
		label, err := plotter.NewLabels(plotter.XYLabels{
			XYs:    plotter.XYs{{X: 30, Y: 2 * allowed}},
			Labels: []string{fmt.Sprintf("1.2 times the %s a second that the server admits", grouped(rate))},
		})
		if err != nil {
			return nil, err
		}
		p.Add(label)
	}
	p.X.Min, p.X.Max = 0, shown.Seconds()
	p.Y.Min, p.Y.Max = 1, 2*clients
	return p, nil
}

// grouped writes a number with a comma between thousands.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return grouped(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// powers marks the powers of ten.
type powers struct{}

func (powers) Ticks(low, high float64) (ticks []plot.Tick) {
	for v := 1.0; v <= high; v *= 10 {
		if v >= low {
			ticks = append(ticks, plot.Tick{Value: v, Label: grouped(int(v))})
		}
	}
	return ticks
}

type every10s struct{}

func (every10s) Ticks(low, high float64) (ticks []plot.Tick) {
	for v := math.Ceil(low/10) * 10; v <= high; v += 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v)})
	}
	return ticks
}

// write replaces the file only where all went well.
func write(path string, c *vgsvg.Canvas) error {
	tmp := path + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}
