package main

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	ourColor   = color.RGBA{R: 0x1f, G: 0x6f, B: 0xb4, A: 0xff}
	otherColor = color.RGBA{R: 0xb0, G: 0xb4, B: 0xba, A: 0xff}
	floorColor = color.RGBA{R: 0xdc, G: 0xdf, B: 0xe3, A: 0xff}
	lossColor  = color.RGBA{R: 0xe0, G: 0xb0, B: 0xa8, A: 0xff}
)

// perRow is how many panels stand beside each other.
const perRow = 3

// drawChart draws a panel for each test: a bar for each server, for the test's first figure. It is an SVG.
func drawChart(all []record) ([]byte, error) {
	rows := (len(all) + perRow - 1) / perRow
	c := vgsvg.New(27*vg.Centimeter, vg.Length(rows)*8.6*vg.Centimeter)
	dc := draw.New(c)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	tiles := draw.Tiles{
		Rows: rows, Cols: perRow, PadX: 5 * vg.Millimeter, PadY: 5 * vg.Millimeter,
		PadTop: 3 * vg.Millimeter, PadBottom: 3 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 3 * vg.Millimeter,
	}
	for i, r := range all {
		p, err := r.panel()
		if err != nil {
			return nil, err
		}
		p.Draw(tiles.At(dc, i%perRow, i/perRow))
	}
	var b bytes.Buffer
	_, err := c.WriteTo(&b)
	return b.Bytes(), err
}

// panel draws one test, the best server on top.
func (r record) panel() (*plot.Plot, error) {
	figure := columns[r.Kind][0]
	rows := slices.DeleteFunc(r.rows(), func(one row) bool { return one.rounds == 0 })
	slices.SortStableFunc(rows, func(a, b row) int {
		switch {
		case a.values[0] > b.values[0]:
			return -1
		case a.values[0] < b.values[0]:
			return 1
		}
		return 0
	})
	p := plot.New()
	p.Title.Text = r.Title
	p.Title.TextStyle.Font.Size = vg.Points(9)
	p.Title.Padding = vg.Points(4)
	p.X.Label.Text = figure.name
	p.X.Label.TextStyle.Font.Size = vg.Points(8)
	p.X.Tick.Marker = plot.ConstantTicks{} // the bars say what they are
	p.X.Tick.Length = 0
	p.Y.Tick.Label.Font.Size = vg.Points(8)

	names := make([]string, len(rows))
	longest := 0.0
	values := make(plotter.Values, len(rows))
	labels := plotter.XYLabels{}
	for i, one := range rows {
		names[i], values[i] = one.peer, one.values[0]
		longest = max(longest, one.values[0])
		text := fmt.Sprintf(figure.format, one.values[0])
		if !one.whole {
			text += " (losses)"
		}
		labels.XYs = append(labels.XYs, plotter.XY{X: one.values[0], Y: float64(i)})
		labels.Labels = append(labels.Labels, text)
	}
	for i, one := range rows {
		own := make(plotter.Values, len(rows))
		own[i] = values[i]
		bar, err := plotter.NewBarChart(own, vg.Points(9))
		if err != nil {
			return nil, err
		}
		bar.Horizontal = true
		bar.LineStyle.Width = 0
		bar.Color = otherColor
		switch {
		case ours(one.peer):
			bar.Color = ourColor
		case one.peer == floor:
			bar.Color = floorColor
		case !one.whole:
			bar.Color = lossColor
		}
		p.Add(bar)
	}
	texts, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	for i := range texts.TextStyle {
		texts.TextStyle[i].Font.Size = vg.Points(8)
		texts.TextStyle[i].YAlign = draw.YCenter
	}
	texts.Offset = vg.Point{X: vg.Points(3)}
	p.Add(texts)
	p.NominalY(names...)
	p.Y.Padding = vg.Points(14)                   // viewers without the font take a wider one
	p.X.Min, p.X.Max = 0, max(longest, 1e-9)*1.35 // the labels need room
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
	return p, nil
}
