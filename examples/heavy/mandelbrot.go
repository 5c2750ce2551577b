package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"math"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// view is the part of the complex plane to draw: its center and its width.
type view struct {
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	Width float64 `json:"width"`
}

// picture is an image; in JSON, PNG is in base64.
type picture struct {
	PNG []byte `json:"png"`
}

const (
	pixelsX, pixelsY = 320, 240
	maxIterations    = 1000
)

// mandelbrot draws the Mandelbrot set. It stops if ctx ends, because then no client waits for the picture.
func mandelbrot(ctx context.Context, _ *hub.Conn, v view) (picture, error) {
	if v == (view{}) {
		v = view{X: -0.75, Width: 3}
	}
	if !(v.Width >= 1e-12 && v.Width <= 8) || math.Abs(v.X) > 4 || math.Abs(v.Y) > 4 {
		return picture{}, &hub.Error{Code: protocol.CodeBadRequest, Message: "x and y must be from -4 to 4, width from 1e-12 to 8"}
	}
	img := image.NewPaletted(image.Rect(0, 0, pixelsX, pixelsY), palette)
	step := v.Width / pixelsX
	for py := range pixelsY {
		if err := ctx.Err(); err != nil {
			return picture{}, err
		}
		y := v.Y + (pixelsY/2-float64(py))*step
		for px := range pixelsX {
			n := escape(complex(v.X+(float64(px)-pixelsX/2)*step, y))
			img.SetColorIndex(px, py, shade(n))
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return picture{}, err
	}
	return picture{buf.Bytes()}, nil
}

// escape counts the iterations of z² + c that stay within a radius of 2.
func escape(c complex128) int {
	var z complex128
	for n := range maxIterations {
		z = z*z + c
		if real(z)*real(z)+imag(z)*imag(z) > 4 {
			return n
		}
	}
	return maxIterations
}

// shade is an index into palette: 0, black, for points of the set itself.
func shade(n int) uint8 {
	if n == maxIterations {
		return 0
	}
	return uint8(1 + n%(len(palette)-1))
}

var palette = func() color.Palette {
	p := color.Palette{color.Black}
	for i := range 255 {
		wave := func(shift float64) uint8 {
			return uint8(127.5 + 127.5*math.Sin(2*math.Pi*(float64(i)/64+shift)))
		}
		p = append(p, color.RGBA{R: wave(0.55), G: wave(0.7), B: wave(0.85), A: 255})
	}
	return p
}()
