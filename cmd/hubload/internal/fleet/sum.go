package fleet

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/report"
)

// sum adds up what the processes report.
type sum struct {
	plan        *plan.Plan
	workers     []worker
	total       load.Counters
	hist        load.Histograms // of the whole test
	recent      load.Histograms // since the last point
	timeline    []report.Point
	warnings    []string
	fault       string
	interrupted bool

	began, ready, start, stop time.Time
	lastPoint                 time.Time
	last                      load.Counters
	lastCPU                   float64
	peak, atEnd               int64
	ended                     bool // what Open is now says nothing
}

// worker is what one process has reported.
type worker struct {
	snap    load.Snapshot
	fresh   bool // since the last point
	fds     int64
	members []int64
	fault   string
}

func newSum(p *plan.Plan, warnings []string) *sum {
	return &sum{plan: p, workers: make([]worker, p.Procs), hist: load.NewHistograms(), recent: load.NewHistograms(), warnings: warnings}
}

func (s *sum) add(i int, snap load.Snapshot) error {
	w := &s.workers[i]
	h, err := snap.Packed.Unpack()
	if err != nil {
		return fmt.Errorf("process %d: %w", i, err)
	}
	s.hist.Merge(h)
	s.recent.Merge(h)
	if snap.Members != nil {
		w.members = snap.Members
	}
	w.snap = snap
	w.fresh = true
	w.fds = max(w.fds, snap.FDs)
	s.total = load.Counters{}
	for i := range s.workers {
		s.total.Add(s.workers[i].snap.Counters)
	}
	if !s.ended {
		s.peak = max(s.peak, s.total.Open)
		s.atEnd = s.total.Open
	}
	if s.plan.Mode != plan.Echo {
		s.total.Expected = s.expected()
	}
	return nil
}

// expected is the number of members of each room times its messages.
func (s *sum) expected() (n int64) {
	if s.start.IsZero() {
		return 0
	}
	members, published := make([]int64, s.plan.Rooms), make([]int64, s.plan.Rooms)
	for i := range s.workers {
		for room, m := range s.workers[i].members {
			members[room] += m
		}
		for room, m := range s.workers[i].snap.Published {
			published[room] += m
		}
	}
	for room := range members {
		n += members[room] * published[room]
	}
	return n
}

func (s *sum) lost(i int, err error) {
	s.workers[i].fault = err.Error()
	s.fail(err.Error())
}

// fail keeps the first reason.
func (s *sum) fail(why string) {
	if s.fault == "" {
		s.fault = why
	}
}

func (s *sum) all(is func(*worker) bool) bool {
	for i := range s.workers {
		if w := &s.workers[i]; w.fault == "" && !is(w) {
			return false
		}
	}
	return true
}

// round reports whether all have reported since the last point, and that was not just now.
func (s *sum) round() bool {
	return time.Since(s.lastPoint) > s.plan.Interval()/2 && s.all(func(w *worker) bool { return w.fresh })
}

func (s *sum) settled() bool {
	return s.all(func(w *worker) bool { return w.snap.Time > s.began.UnixNano() && w.snap.Settled })
}

func (s *sum) published() bool {
	return s.all(func(w *worker) bool { return w.members != nil && w.snap.Published != nil })
}

func (s *sum) complete() bool {
	return s.total.Received >= s.total.Expected && s.total.Accepted+s.total.Refused >= s.total.Sent
}

func (s *sum) done(i int) bool { return s.workers[i].snap.Done }

func (s *sum) connected()             { s.ready = time.Now() }
func (s *sum) measuring(at time.Time) { s.start = at }
func (s *sum) measured()              { s.stop = time.Now() }
func (s *sum) finishing()             { s.ended = true }

// mostly is the most frequent reason why connections failed.
func (s *sum) mostly() string {
	all := s.reasons(func(w *load.Snapshot) load.Reasons { return w.Failures })
	if names := report.Sorted(all); len(names) > 0 {
		return names[0]
	}
	return "the time was too short"
}

func (s *sum) reasons(of func(*load.Snapshot) load.Reasons) load.Reasons {
	all := load.Reasons{}
	for i := range s.workers {
		all.Add(of(&s.workers[i].snap))
	}
	return all
}

// point closes an interval.
func (s *sum) point(phase string) Progress {
	now := time.Now()
	if s.lastPoint.IsZero() {
		s.lastPoint = s.began
	}
	var cpu float64
	pr := Progress{Phase: phase, Counters: s.total, Warnings: s.warnings, Planned: s.planned()}
	pt := report.Point{
		T: now.Sub(s.began).Seconds(), Phase: phase, Open: s.total.Open, Failed: s.total.Failed, Closed: s.total.Closed,
		Connect: report.Of(s.recent.Connect), Delivery: report.Of(s.recent.Delivery), Ping: report.Of(s.recent.Ping),
	}
	for i := range s.workers {
		w := &s.workers[i]
		w.fresh = false
		cpu += w.snap.CPU
		pt.FDs += w.snap.FDs
		if w.snap.FDs >= pr.FDs {
			pr.FDs, pr.FDLimit = w.snap.FDs, w.snap.FDLimit
		}
	}
	seconds := max(now.Sub(s.lastPoint).Seconds(), 0.001)
	pt.Connects = float64(pt.Connect.Count) / seconds
	pt.Published = float64(s.total.Sent-s.last.Sent) / seconds
	pt.Delivered = float64(s.total.Received-s.last.Received) / seconds
	pt.CPU = (cpu - s.lastCPU) / seconds
	s.lastPoint, s.last, s.lastCPU = now, s.total, cpu
	s.recent.Reset()
	if !s.ended {
		s.timeline = append(s.timeline, pt)
	}
	pr.Point = pt
	return pr
}

func (s *sum) planned() int64 { return int64(s.plan.Rate*s.plan.Duration.Seconds() + 0.5) }

func (s *sum) result() *report.Result {
	t := s.total
	seconds := 0.0
	if !s.start.IsZero() && !s.stop.IsZero() {
		seconds = min(s.plan.Duration, s.stop.Sub(s.start)).Seconds()
	}
	ready := s.ready
	if ready.IsZero() {
		ready = time.Now()
	}
	per := func(n int64) float64 { return float64(n) / max(seconds, 0.001) }
	if seconds == 0 {
		per = func(int64) float64 { return 0 }
	}
	r := &report.Result{
		Schema: report.Schema, Interrupted: s.interrupted, Fault: s.fault, Warnings: append([]string{}, s.warnings...),
		Started: s.began, Seconds: time.Since(s.began).Seconds(), Settings: *s.plan, Environment: environment(),
		Connections: report.Connections{
			Asked: int64(s.plan.Conns), Peak: s.peak, AtEnd: s.atEnd, Unready: t.Unready, Seconds: ready.Sub(s.began).Seconds(),
			Attempts: t.Attempts, Failed: t.Failed, Closed: t.Closed, Reconnected: t.Reconnected, Connect: report.Of(s.hist.Connect),
			Failures: s.reasons(func(w *load.Snapshot) load.Reasons { return w.Failures }),
			Closes:   s.reasons(func(w *load.Snapshot) load.Reasons { return w.Closes }),
		},
		Publishes: report.Publishes{
			Sent: t.Sent, Accepted: t.Accepted, Refused: t.Refused, Unanswered: t.Sent - t.Accepted - t.Refused, Skipped: t.Skipped,
			PerSecond: per(t.Sent), Lag: report.Of(s.hist.Lag),
			Errors: s.reasons(func(w *load.Snapshot) load.Reasons { return w.Errors }),
		},
		Deliveries: report.Deliveries{
			Expected: t.Expected, Received: t.Received, Lost: max(0, t.Expected-t.Received), Repeated: t.Repeated, OutOfOrder: t.Late,
			Foreign: t.Foreign, PerSecond: per(t.Received), Latency: report.Of(s.hist.Delivery),
		},
		Pings:               report.Pings{Sent: t.Pings, Answered: t.Pongs, Trip: report.Of(s.hist.Ping)},
		Notices:             report.Notices{Gaps: t.Gaps, GoAways: t.GoAways, Stale: t.Stale},
		Timeline:            append([]report.Point{}, s.timeline...),
		ConnectDistribution: report.Distribution(s.hist.Connect), DeliveryDistribution: report.Distribution(s.hist.Delivery),
	}
	for i := range s.workers {
		w := &s.workers[i]
		r.Processes = append(r.Processes, report.Process{
			Conns: s.plan.Share(i), FDs: w.fds, FDLimit: w.snap.FDLimit, CPU: w.snap.CPU, RSS: w.snap.RSS, Fault: w.fault,
		})
	}
	r.Warnings = append(r.Warnings, doubts(r)...)
	return r
}

// doubts are reasons not to trust the figures.
func doubts(r *report.Result) (all []string) {
	if lag := r.Publishes.Lag; lag.P99 > 20 {
		all = append(all, "the tool itself was late: 1 of 100 messages was sent "+report.Millis(lag.P99)+
			" or more after its time; latencies may be the tool's, not the server's")
	}
	var busiest float64
	for _, pt := range r.Timeline {
		if pt.Phase == Measuring {
			busiest = max(busiest, pt.CPU)
		}
	}
	if busiest > 0.9*float64(runtime.NumCPU()) {
		all = append(all, fmt.Sprintf("the tool used up to %.1f of this machine's %d CPUs", busiest, runtime.NumCPU()))
	}
	return all
}

func environment() report.Environment {
	e := report.Environment{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		e.Version = info.Main.Version
	}
	return e
}
