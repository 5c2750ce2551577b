package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
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
	bin, err := build(ctx, chosenPeers)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }()

	r := record{Rounds: o.rounds, Machine: machine.Look(ctx)}
	if r.Versions, err = versions(ctx, chosenPeers); err != nil {
		return err
	}
	var kept *records
	if *out != "" {
		if kept, err = open(*out); err != nil {
			return err
		}
	}
	for _, t := range chosenTests {
		able := slices.DeleteFunc(slices.Clone(chosenPeers), func(p peer) bool { return !t.suits(p) })
		r.Test, r.Kind, r.Title, r.Heading = t.name, t.kind, t.title, t.describe(&o)
		r.Peers = nil
		for _, p := range able {
			r.Peers = append(r.Peers, p.name)
		}
		if r.Results, err = rounds(ctx, bin, t, able, &o); err != nil {
			return err
		}
		if kept == nil {
			r.writeTable(os.Stdout)
		} else if err := kept.put(r); err != nil {
			return err
		}
	}
	return nil
}

// rounds runs one test. A run that fails is reported and left out; the error is ctx's.
func rounds(ctx context.Context, bin string, t test, ps []peer, o *options) ([]result.Result, error) {
	var rs []result.Result
	for round := range o.rounds {
		for _, p := range ps {
			r, err := measure(ctx, bin, t, p, o)
			if ctx.Err() != nil {
				return rs, ctx.Err()
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s, round %d, %s: %v\n", t.name, round+1, p.name, err)
				continue
			}
			r.Peer, r.Test, r.Round = p.name, t.name, round+1
			fmt.Fprintf(os.Stderr, "%s, round %d, %s: %s\n", t.name, round+1, p.name, brief(t, r))
			rs = append(rs, r)
		}
	}
	return rs, nil
}
