// Package fleet runs a load test: it starts the processes, leads them through its phases, adds up what they report,
// and ends them.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/report"
)

const (
	// rest lies between the last connection and the measurement.
	rest = time.Second
	// lead is the time all processes have to hear when the measurement starts.
	lead = 300 * time.Millisecond
	// farewell bounds the wait for the processes' last reports.
	farewell = 10 * time.Second
)

// The phases, as they are called on the screen.
const (
	Connecting = "connecting"
	Resting    = "resting"
	Measuring  = "measuring"
	Draining   = "draining"
)

// Progress is what a test looks like from outside.
type Progress struct {
	Phase   string
	Planned int64 // messages to publish
	Point   report.Point
	load.Counters
	FDs, FDLimit int64 // of the fullest process
	Warnings     []string
}

// Run carries out a test and calls watch after each interval, from its own goroutine. When ctx ends the test ends in
// order, and the result says that it was interrupted. An error means that it did not begin; a test that broke has a
// Result with a Fault.
func Run(ctx context.Context, p *plan.Plan, watch func(Progress)) (*report.Result, error) {
	assignments, warnings, err := prepare(ctx, p)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &fleet{ctx: ctx, plan: p, watch: watch, events: make(chan event), sum: newSum(p, warnings)}
	defer f.end()
	for i := range assignments {
		proc, err := start(exe, i, f.events, &f.wg)
		if err != nil {
			return nil, err
		}
		f.procs = append(f.procs, proc)
		f.left++
		proc.order(load.Order{Plan: &assignments[i]})
	}
	f.run()
	return f.sum.result(), nil
}

// fleet is a test under way. All of it belongs to the goroutine of Run.
type fleet struct {
	ctx    context.Context
	plan   *plan.Plan
	watch  func(Progress)
	procs  []*process
	left   int // processes that have not ended
	events chan event
	wg     sync.WaitGroup
	phase  string
	sum    *sum
}

var errBroken = errors.New("broken")

// run leads through the phases. Where one is interrupted or breaks, those that measure are left out.
func (f *fleet) run() {
	err := f.connect()
	if err == nil && f.sum.total.Open == 0 {
		f.sum.fail("no connection became ready: " + f.sum.mostly())
	} else if err == nil {
		err = f.measure()
	}
	f.sum.interrupted = err != nil && !errors.Is(err, errBroken)
	f.finish()
}

func (f *fleet) order(o load.Order) {
	for _, p := range f.procs {
		p.order(o)
	}
}

// await handles events until done says so, ctx ends, a process breaks, or the time is up; a zero time never is.
func (f *fleet) await(until time.Time, done func() bool) error {
	var late <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		late = timer.C
	}
	for !done() {
		select {
		case <-f.ctx.Done():
			return context.Cause(f.ctx)
		case <-late:
			return nil
		case e := <-f.events:
			if err := f.handle(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fleet) handle(e event) error {
	if e.ended {
		f.left--
		if f.sum.done(e.index) && e.err == nil {
			return nil
		}
		if e.err == nil {
			e.err = fmt.Errorf("process %d ended by itself", e.index)
		}
		f.sum.lost(e.index, e.err)
		return errBroken
	}
	if e.snap.Error != "" {
		f.sum.lost(e.index, fmt.Errorf("process %d: %s", e.index, e.snap.Error))
		return errBroken
	}
	if err := f.sum.add(e.index, e.snap); err != nil {
		f.sum.fail(err.Error())
		return errBroken
	}
	if f.sum.round() {
		f.watch(f.sum.point(f.phase))
	}
	return nil
}

func (f *fleet) connect() error {
	f.phase = Connecting
	f.sum.began = time.Now()
	f.order(load.Order{Do: load.Connect})
	if err := f.await(time.Now().Add(f.plan.Patience()), f.sum.settled); err != nil {
		return err
	}
	f.sum.connected()
	f.phase = Resting
	return f.await(time.Now().Add(rest), never)
}

func never() bool { return false }

func (f *fleet) measure() error {
	f.phase = Measuring
	begin := time.Now().Add(lead)
	f.sum.measuring(begin)
	f.order(load.Order{Do: load.Measure, At: begin.UnixNano()})
	end := begin.Add(f.plan.Duration)
	err := f.await(time.Time{}, func() bool { return f.sum.published() && !time.Now().Before(end) })
	if errors.Is(err, errBroken) {
		return err
	}
	interrupted := err
	if interrupted != nil {
		f.order(load.Order{Do: load.Stop})
		f.ctx = context.WithoutCancel(f.ctx)
	}
	f.phase = Draining
	if f.plan.Rate > 0 {
		err = f.drain()
	}
	f.sum.measured()
	if interrupted != nil {
		return interrupted
	}
	return err
}

// drain waits for what is under way, until nothing has come for the grace time.
func (f *fleet) drain() error {
	progress := func() int64 { return f.sum.total.Received + f.sum.total.Accepted + f.sum.total.Refused }
	last, at := progress(), time.Now()
	return f.await(time.Time{}, func() bool {
		if now := progress(); now != last {
			last, at = now, time.Now()
		}
		return f.sum.published() && f.sum.complete() || time.Since(at) > f.plan.Grace
	})
}

// finish asks for the last reports.
func (f *fleet) finish() {
	f.sum.finishing()
	f.ctx = context.WithoutCancel(f.ctx)
	f.order(load.Order{Do: load.Finish})
	until := time.Now().Add(farewell)
	for f.left > 0 && time.Now().Before(until) {
		_ = f.await(until, func() bool { return f.left == 0 }) // what breaks now is noted, and the others are waited for
	}
	if f.left > 0 {
		f.sum.fail(fmt.Sprintf("%d processes did not end within %v", f.left, farewell))
	}
}

// end makes sure that nothing is left.
func (f *fleet) end() {
	for _, p := range f.procs {
		_ = p.stdin.Close()
		if f.left > 0 {
			p.kill()
		}
	}
	go func() {
		f.wg.Wait()
		close(f.events)
	}()
	for range f.events { // the ends of those that were killed
	}
}
