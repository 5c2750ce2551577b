package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/bench/internal/latency"
	"github.com/gohubkit/hubkit/bench/internal/result"
	"github.com/gohubkit/hubkit/internal/wsload"
)

var tests = map[string]func(context.Context, *config) (result.Result, error){
	"idle":   idle,
	"fanout": fanout,
	"paced":  paced,
	"rooms":  roomsTest,
	"nodes":  nodes,
	"echo":   echo,
	"storm":  storm,
	"churn":  churn,
}

// million turns CPU seconds into seconds per million units.
func million(seconds float64, units int64) float64 {
	if units == 0 {
		return 0
	}
	return seconds / float64(units) * 1e6
}

// clientCPU is the time this process has used, in seconds.
func clientCPU() float64 {
	var ru unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &ru) // fails only for a bad argument
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()).Seconds()
}

// meter measures from start to stop.
type meter struct {
	srv    server
	before benchserver.Stats
	client float64
	begun  time.Time
}

func start(ctx context.Context, srv server) (*meter, error) {
	st, err := srv.stats(ctx, false)
	return &meter{srv: srv, before: st, client: clientCPU(), begun: time.Now()}, err
}

// stop fills in what the units received since start cost; took is how long they took.
func (m *meter) stop(ctx context.Context, res *result.Result, took time.Duration) error {
	client := clientCPU()
	after, err := m.srv.stats(ctx, false)
	if err != nil {
		return err
	}
	res.Drops = after.Drops - m.before.Drops
	res.Seconds = took.Seconds()
	res.PerSecond = float64(res.Received) / res.Seconds
	res.CPUPerMillion = million(after.CPU()-m.before.CPU(), res.Received)
	res.ClientCPU = million(client-m.client, res.Received)
	res.MallocsPerUnit = float64(after.Mallocs-m.before.Mallocs) / float64(max(res.Received, 1))
	res.Goroutines = after.Goroutines
	return nil
}

// connect opens the connections of a test and lets the server come to rest.
func connect(ctx context.Context, c *config, o wsload.Options) (*wsload.Client, error) {
	cl, err := wsload.New(o)
	if err != nil {
		return nil, err
	}
	if _, err = cl.Open(ctx); err == nil {
		var st benchserver.Stats
		st, err = server{c.addr}.awaitConns(ctx, o.Conns)
		if err == nil && st.Conns != o.Conns {
			err = fmt.Errorf("server counts %d connections, not %d", st.Conns, o.Conns)
		}
	}
	if err != nil {
		cl.Close()
		return nil, err
	}
	time.Sleep(c.settle)
	return cl, nil
}

// await returns when the client has received want payloads, or none for c.stall, with the time the
// last one came.
func await(ctx context.Context, c *config, cl *wsload.Client, want int64) (int64, time.Time, error) {
	last, at := cl.Counts().Messages, time.Now()
	for last < want && time.Since(at) < c.stall {
		if ctx.Err() != nil {
			return last, at, ctx.Err()
		}
		time.Sleep(2 * time.Millisecond)
		if n := cl.Counts().Messages; n != last {
			last, at = n, time.Now()
		}
	}
	return last, at, nil
}

func idle(ctx context.Context, c *config) (result.Result, error) {
	srv := server{c.addr}
	c.rooms = 0
	before, err := srv.stats(ctx, true)
	if err != nil {
		return result.Result{}, err
	}
	cl, err := connect(ctx, c, c.options(false))
	if err != nil {
		return result.Result{}, err
	}
	defer cl.Close()
	after, err := srv.stats(ctx, true)
	return result.Result{
		Conns:         c.conns,
		RSSPerConnKB:  float64(after.RSSKB-before.RSSKB) / float64(c.conns),
		HeapPerConnKB: (float64(after.HeapInuse) - float64(before.HeapInuse)) / 1024 / float64(c.conns),
		Goroutines:    after.Goroutines,
	}, err
}

func fanout(ctx context.Context, c *config) (result.Result, error) {
	c.rooms, c.rate = 0, 0
	return publish(ctx, c, int64(c.n)*int64(c.conns))
}

func paced(ctx context.Context, c *config) (result.Result, error) {
	if c.rate <= 0 {
		return result.Result{}, errors.New("needs a -rate")
	}
	c.rooms = 0
	return publish(ctx, c, int64(c.n)*int64(c.conns))
}

func roomsTest(ctx context.Context, c *config) (result.Result, error) {
	if c.rooms < 1 || c.conns%c.rooms != 0 || c.n%c.rooms != 0 {
		return result.Result{}, errors.New("-conns and -n must be multiples of -rooms")
	}
	return publish(ctx, c, int64(c.n)*int64(c.conns/c.rooms))
}

func publish(ctx context.Context, c *config, want int64) (result.Result, error) {
	res := result.Result{Conns: c.conns, Expected: want}
	cl, err := connect(ctx, c, c.options(false))
	if err != nil {
		return res, err
	}
	defer cl.Close()
	m, err := start(ctx, server{c.addr})
	if err != nil {
		return res, err
	}
	others, err := c.others(ctx)
	if err != nil {
		return res, err
	}
	from := m.srv
	if c.publisher != "" {
		from = server{c.publisher}
	}
	pub, err := from.bench(ctx, c)
	if err != nil {
		return res, err
	}
	if pub.Errors > 0 {
		return res, fmt.Errorf("%d of %d messages refused", pub.Errors, c.n)
	}
	got, at, err := await(ctx, c, cl, want)
	if err != nil {
		return res, err
	}
	res.Received = got
	if err := m.stop(ctx, &res, at.Sub(m.begun)); err != nil {
		return res, err
	}
	spent, err := c.others(ctx)
	if err != nil {
		return res, err
	}
	res.PublisherCPU = million(spent.publisher-others.publisher, got)
	res.RedisCPU = million(spent.redis-others.redis, got)
	res.Disconnected = cl.Counts().Closed
	quantiles(&res, cl)
	return res, nil
}

func quantiles(res *result.Result, cl *wsload.Client) {
	h := latency.Take(cl)
	res.P50ms = float64(h.ValueAtQuantile(50)) / 1000
	res.P99ms = float64(h.ValueAtQuantile(99)) / 1000
	res.MaxMs = float64(h.Max()) / 1000
}

func echo(ctx context.Context, c *config) (result.Result, error) {
	c.rooms = 0
	res := result.Result{Conns: c.conns}
	cl, err := connect(ctx, c, c.options(true))
	if err != nil {
		return res, err
	}
	defer cl.Close()
	m, err := start(ctx, server{c.addr})
	if err != nil {
		return res, err
	}
	res.Expected = int64(c.n)
	cl.StartEchoes(res.Expected)
	got, at, err := await(ctx, c, cl, res.Expected)
	if err != nil {
		return res, err
	}
	res.Received = got
	if err := m.stop(ctx, &res, at.Sub(m.begun)); err != nil {
		return res, err
	}
	res.Disconnected = cl.Counts().Closed
	quantiles(&res, cl)
	return res, nil
}

func storm(ctx context.Context, c *config) (result.Result, error) {
	c.rooms = 0
	res := result.Result{Conns: c.conns, Expected: int64(c.conns)}
	cl, err := wsload.New(c.options(false))
	if err != nil {
		return res, err
	}
	defer cl.Close()
	m, err := start(ctx, server{c.addr})
	if err != nil {
		return res, err
	}
	took, err := cl.Open(ctx)
	if err != nil {
		return res, err
	}
	res.Received = cl.Counts().Ready
	err = m.stop(ctx, &res, took)
	return res, err
}

func churn(ctx context.Context, c *config) (result.Result, error) {
	c.rooms = 0
	res := result.Result{Conns: c.window * c.loops, Expected: int64(c.n)}
	o := c.options(false)
	o.Conns, o.Churn = c.n, true
	cl, err := wsload.New(o)
	if err != nil {
		return res, err
	}
	defer cl.Close()
	m, err := start(ctx, server{c.addr})
	if err != nil {
		return res, err
	}
	took, err := cl.Open(ctx)
	if err != nil {
		return res, err
	}
	res.Received = cl.Counts().Closed
	left, err := m.srv.awaitConns(ctx, 0)
	if err != nil {
		return res, err
	}
	res.ConnsLeft = left.Conns
	err = m.stop(ctx, &res, took)
	return res, err
}
