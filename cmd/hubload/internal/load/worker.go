// Package load is one process of a load test: its connections, what they send, and what is counted and measured.
//
// The connections are split into shards, each served by one thread (package link), and all that belongs to a
// connection belongs to its shard. A worker does nothing by itself: it is given a Plan and then Orders, and reports
// Snapshots.
package load

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/link"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
)

// How often shards look what is due: while they publish, and before.
const (
	busyTick = time.Millisecond
	idleTick = 5 * time.Millisecond
)

// hangupTimeout bounds the wait at the end for the server to close what was hung up on.
const hangupTimeout = 2 * time.Second

// An Assignment is the part of a Plan that one process has.
type Assignment struct {
	Plan plan.Plan `json:"plan"`
	Proc int       `json:"proc"`
	// Addr is what the target's host was resolved to.
	Addr string `json:"addr"`
	// Sources are the addresses to connect from, if not the system's choice.
	Sources []netip.Addr `json:"sources,omitempty"`
	Token   string       `json:"token,omitempty"`
	Header  http.Header  `json:"header,omitempty"`
}

// Worker is a process's part of the test. Its fields do not change once it runs.
type Worker struct {
	plan     *plan.Plan
	proc     int
	token    []byte
	links    link.Links
	shards   []*shard
	inflight int // of each shard
	backoff  *backoff.Policy
	base     int64 // descriptors open before the first connection
}

// phase is how far the test is. Zero times are in the future.
type phase struct {
	connecting, measuring, until time.Time
}

func newWorker(a *Assignment) (*Worker, error) {
	p := &a.Plan
	target, err := url.Parse(p.Targets[a.Proc%len(p.Targets)])
	if err != nil {
		return nil, err
	}
	policy, err := backoff.New()
	if err != nil {
		return nil, err
	}
	n := p.Share(a.Proc)
	shards := min(max(1, runtime.NumCPU()/p.Procs), 4, n)
	w := &Worker{
		plan: p, proc: a.Proc, token: []byte(a.Token), backoff: policy,
		inflight: max(1, p.Inflight/shards), base: openFiles(),
	}
	for id := range shards {
		w.shards = append(w.shards, newShard(w, id, (n-id+shards-1)/shards))
	}
	o := link.Options{
		Conns: n, Shards: shards, Host: target.Host, Addr: a.Addr, Subprotocol: p.Subprotocol, Header: a.Header,
		Path:    func(i int) string { return requestURI(p, target, i*p.Procs+a.Proc) },
		Local:   func(int) netip.Addr { return netip.Addr{} },
		Handler: handler{w}, Portable: p.Portable,
	}
	if len(a.Sources) > 0 {
		o.Local = func(i int) netip.Addr { return a.Sources[i%len(a.Sources)] }
	}
	if target.Scheme == "wss" {
		o.TLS = &tls.Config{ServerName: target.Hostname(), InsecureSkipVerify: p.Insecure} //nolint:gosec // -insecure asks for it
	}
	w.links, err = link.New(o)
	return w, err
}

// requestURI fills in a target's path and query; the braces of a placeholder are escaped in a parsed URL.
func requestURI(p *plan.Plan, target *url.URL, conn int) string {
	u := *target
	u.Path, u.RawPath = p.Fill(u.Path, conn), ""
	if u.RawQuery != "" {
		u.RawQuery = p.Fill(u.RawQuery, conn)
	}
	return u.RequestURI()
}

// Run is the process: it reads a Plan and Orders, as lines of JSON, from in, and writes Snapshots to out. It
// returns when it is told to finish, or at the end of in: whoever gave the orders is gone.
func Run(in io.Reader, out io.Writer) error {
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	var first Order
	if err := dec.Decode(&first); err != nil {
		return fmt.Errorf("no plan: %w", err)
	}
	if first.Plan == nil {
		return errors.New("no plan")
	}
	w, err := newWorker(first.Plan)
	if err != nil {
		return errors.Join(err, enc.Encode(Snapshot{Error: err.Error(), Done: true}))
	}
	orders := make(chan Order)
	ended := make(chan struct{})
	defer close(ended)
	go func() { // ends with the process's standard input, or with the process
		defer close(orders)
		for {
			var o Order
			if dec.Decode(&o) != nil {
				return
			}
			select {
			case orders <- o:
			case <-ended:
				return
			}
		}
	}()
	defer w.links.Close()
	return w.run(orders, enc)
}

func (w *Worker) run(orders <-chan Order, out *json.Encoder) error {
	ticker := time.NewTicker(idleTick)
	defer ticker.Stop()
	report := time.NewTicker(w.plan.Interval())
	defer report.Stop()
	var at phase
	for {
		select {
		case now := <-ticker.C:
			ph := at
			for id, s := range w.shards {
				w.links.Do(id, func() { s.tick(now, &ph) })
			}
		case <-report.C:
			if err := out.Encode(w.snapshot(!at.measuring.IsZero())); err != nil {
				return err
			}
		case o, ok := <-orders:
			if !ok {
				return nil
			}
			if done, err := w.obey(o, &at, ticker, out); done || err != nil {
				return err
			}
		}
	}
}

func (w *Worker) obey(o Order, at *phase, ticker *time.Ticker, out *json.Encoder) (done bool, err error) {
	switch o.Do {
	case Connect:
		at.connecting = time.Now()
	case Measure:
		at.measuring = time.Unix(0, o.At)
		at.until = at.measuring.Add(w.plan.Duration)
		if w.plan.Rate > 0 {
			ticker.Reset(busyTick)
		}
		members := make([]int64, w.plan.Rooms)
		w.each(func(s *shard) { s.begin(members) })
		snap := w.snapshot(false)
		snap.Members = members
		return false, out.Encode(snap)
	case Stop:
		w.each(func(s *shard) { s.published = true })
	case Finish:
		w.each((*shard).quit)
		for until := time.Now().Add(hangupTimeout); w.links.Sockets() > 0 && time.Now().Before(until); {
			time.Sleep(10 * time.Millisecond)
		}
		snap := w.snapshot(!at.measuring.IsZero())
		snap.Done = true
		return true, out.Encode(snap)
	}
	return false, nil
}

// each runs fn on one shard after the other, and waits.
func (w *Worker) each(fn func(*shard)) {
	for id, s := range w.shards {
		done := make(chan struct{})
		w.links.Do(id, func() {
			fn(s)
			close(done)
		})
		<-done
	}
}

func (w *Worker) snapshot(measuring bool) Snapshot {
	snap := Snapshot{
		Time: time.Now().UnixNano(), Failures: Reasons{}, Closes: Reasons{}, Errors: Reasons{}, Settled: true,
		FDs: w.base + w.links.Sockets(), FDLimit: fileLimit(), CPU: cpuSeconds(), RSS: residentBytes(),
	}
	sum := NewHistograms()
	over := measuring
	var published []int64
	if measuring {
		published = make([]int64, w.plan.Rooms)
	}
	w.each(func(s *shard) {
		snap.Add(s.sum)
		snap.Failures.Add(s.failures)
		snap.Closes.Add(s.closes)
		snap.Errors.Add(s.errors)
		snap.Settled = snap.Settled && s.settled()
		sum.Merge(s.hist)
		s.hist.Reset()
		if over = over && s.published; over {
			s.add(published)
		}
	})
	if over {
		snap.Published = published
	}
	var err error
	if snap.Packed, err = sum.Pack(); err != nil {
		snap.Error = err.Error()
	}
	return snap
}
