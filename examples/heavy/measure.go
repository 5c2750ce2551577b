package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// pause is the time between echoes. It keeps a client below its rate.
const pause = 15 * time.Millisecond

// measurement has clients call the hub, each on a connection of its own.
type measurement struct {
	url      string
	callers  int
	phase    time.Duration
	pictures atomic.Int64
}

// run prints a line for each case.
func (m *measurement) run(ctx context.Context, stdout io.Writer) error {
	out := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(out, "meanwhile\tpictures\techoes\tmedian\t99 %\tslowest\t")
	for _, c := range []struct{ title, method string }{
		{"nothing", ""},
		{"pictures on the pool", "mandelbrot"},
		{"pictures without it", "mandelbrot-inline"},
	} {
		echoes, err := m.measure(ctx, c.method)
		if err != nil {
			return err
		}
		slices.Sort(echoes)
		at := func(q float64) time.Duration { return echoes[int(q*float64(len(echoes)-1))].Round(time.Microsecond) }
		_, _ = fmt.Fprintf(out, "%s\t%d\t%d\t%v\t%v\t%v\t\n", c.title, m.pictures.Swap(0), len(echoes),
			at(0.5), at(0.99), at(1))
	}
	return out.Flush()
}

// measure times calls of echo, at least one, while callers call method. If method is "", they call nothing.
func (m *measurement) measure(ctx context.Context, method string) (echoes []time.Duration, err error) {
	phase, end := context.WithTimeout(ctx, m.phase)
	defer end()
	callers := m.callers
	if method == "" {
		callers = 0
	}
	failed := make(chan error, callers)
	for i := range callers {
		go func() {
			failed <- m.connected(phase, func(c *client.Client) error { return m.draw(phase, c, method, i) })
		}()
	}
	err = m.connected(ctx, func(c *client.Client) error {
		for phase.Err() == nil || len(echoes) == 0 {
			start := time.Now()
			if _, err := c.Call(ctx, "echo", []byte(`"hello"`)); err != nil {
				return err
			}
			echoes = append(echoes, time.Since(start))
			time.Sleep(pause)
		}
		return nil
	})
	for range callers {
		err = errors.Join(err, <-failed)
	}
	return echoes, err
}

// draw calls for pictures, each of another place, until ctx ends.
func (m *measurement) draw(ctx context.Context, c *client.Client, method string, caller int) error {
	for n := 0; ; n++ {
		v := view{X: -0.7436 + float64(caller)*1e-4, Y: 0.1318, Width: 3 / float64(1+n%50)}
		_, err := client.CallJSON[view, picture](ctx, c, method, v)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // That the time is up is no failure.
		}
		if err == nil {
			m.pictures.Add(1)
			continue
		}
		busy, _ := errors.AsType[*protocol.Error](err)
		if busy == nil || busy.Code != protocol.CodeBusy {
			return err
		}
		// The hub has no capacity, and sends a retry hint.
		select {
		case <-time.After(busy.RetryAfter):
		case <-ctx.Done():
		}
	}
}

// overview returns a picture of the whole set.
func (m *measurement) overview(ctx context.Context) (png []byte, err error) {
	err = m.connected(ctx, func(c *client.Client) error {
		p, err := client.CallJSON[view, picture](ctx, c, "mandelbrot", view{})
		png = p.PNG
		return err
	})
	return png, err
}

// connected calls f with a client and closes that afterwards.
func (m *measurement) connected(ctx context.Context, f func(*client.Client) error) error {
	c, err := client.New(m.url)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) }) // Calls report what ends it.
	err = f(c)
	_ = c.Close() // It is always nil.
	running.Wait()
	return err
}
