package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/machine"
	"github.com/gohubkit/hubkit/bench/internal/result"
)

// options is the command line.
type options struct {
	rounds, conns, n, size int
	scale                  float64
	settle, timeout        time.Duration
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	peerList := flag.String("peers", "", "comma-separated `names`; empty for all there are")
	more := flag.Bool("continue", false, "measure only what the folder of -o does not have yet, up to -rounds for each server")
	plan := flag.Bool("plan", false, "say how long it takes, and measure nothing")
	testList := flag.String("tests", "", "comma-separated `names`; empty for all")
	out := flag.String("o", "", "keep results, page and chart in `folder`, beside those of other tests that are there; without it, print tables")
	flag.IntVar(&o.rounds, "rounds", 3, "times to run each test against each peer")
	flag.IntVar(&o.conns, "conns", 0, "connections, in place of each test's own number")
	flag.IntVar(&o.n, "n", 0, "messages, echoes or churned connections, in place of each test's own number")
	flag.IntVar(&o.size, "size", 128, "`bytes` of a payload")
	flag.Float64Var(&o.scale, "scale", 1, "multiply the number of messages, echoes and churned connections")
	flag.DurationVar(&o.settle, "settle", time.Second, "rest before measuring")
	flag.DurationVar(&o.timeout, "timeout", 3*time.Minute, "limit of one run")
	flag.Parse()

	chosenPeers, err := choosePeers(*peerList)
	if err != nil {
		return err
	}
	chosenTests, err := chooseTests(*testList, &o)
	if err != nil {
		return err
	}
	if *more && *out == "" {
		return errors.New("-continue needs -o")
	}
	var kept *records
	if *out != "" {
		if kept, err = open(*out); err != nil {
			return err
		}
		kept.more = *more
	}
	jobs, err := newJobs(chosenTests, chosenPeers, kept, &o)
	if err != nil {
		return err
	}
	estimate(jobs, kept, &o)
	if *plan {
		return nil
	}
	bin, err := build(ctx, chosenPeers)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }()

	r := record{Run: time.Now().UTC().Format(time.RFC3339), Rounds: o.rounds, Machine: machine.Look(ctx)}
	if r.Versions, err = versions(ctx, chosenPeers); err != nil {
		return err
	}
	for _, j := range jobs {
		j.record.Run, j.record.Rounds, j.record.Machine, j.record.Versions = r.Run, r.Rounds, r.Machine, r.Versions
		if err := j.run(ctx, bin, kept, &o); err != nil {
			return err
		}
		if kept == nil {
			j.record.writeTable(os.Stdout)
		}
	}
	return nil
}

// newJobs leaves out what kept has, if it is to be continued.
func newJobs(ts []test, ps []peer, kept *records, o *options) (jobs []*job, err error) {
	for _, t := range ts {
		j := &job{test: t, record: record{Test: t.name, Kind: t.kind, Title: t.title, Heading: t.describe(o)}}
		if kept != nil && kept.more {
			if j.done, err = kept.has(t.name, j.record.Heading); err != nil {
				return nil, err
			}
		}
		for _, p := range ps {
			if t.suits(p) && j.missing(p, o.rounds) {
				j.peers = append(j.peers, p)
				j.record.Peers = append(j.record.Peers, p.name)
			}
		}
		if len(j.peers) > 0 {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// estimate tells how long each test will take.
func estimate(jobs []*job, kept *records, o *options) {
	var known []result.Result
	if kept != nil {
		for _, r := range kept.all {
			known = append(known, r.Results...)
		}
	}
	var all time.Duration
	for _, j := range jobs {
		n, took := j.estimate(known, o)
		all += took
		fmt.Fprintf(os.Stderr, "%s: %d runs, about %v\n", j.test.name, n, took.Round(time.Second))
	}
	fmt.Fprintf(os.Stderr, "all: about %v\n", all.Round(time.Minute))
}

// run runs one test, and keeps what there is after each round and when it is stopped. A run that fails is reported and left out.
func (j *job) run(ctx context.Context, bin string, kept *records, o *options) error {
	for round := range o.rounds {
		for _, p := range j.peers {
			if !j.missing(p, round+1) {
				continue
			}
			start := time.Now()
			r, err := measure(ctx, bin, j.test, p, o)
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), j.keep(kept))
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s, round %d, %s: %v\n", j.test.name, round+1, p.name, err)
				continue
			}
			r.Peer, r.Test, r.Round, r.Whole = p.name, j.test.name, round+1, time.Since(start).Seconds()
			fmt.Fprintf(os.Stderr, "%s, round %d, %s, %.1f s: %s\n", j.test.name, round+1, p.name, r.Whole, brief(j.test, r))
			j.record.Results = append(j.record.Results, r)
		}
		if err := j.keep(kept); err != nil {
			return err
		}
	}
	return nil
}

// keep writes what there is, if it is to be written and there is any.
func (j *job) keep(kept *records) error {
	if kept == nil || len(j.record.Results) == 0 {
		return nil
	}
	return kept.put(j.record)
}
