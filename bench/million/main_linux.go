package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/machine"
)

// partEnv are Go's settings in the hubs and the load processes: one processor for each, since there are many more of
// them than cores.
var partEnv = []string{"GOMAXPROCS=1", "GOGC=100"}

// rehearsal is below how many connections a trial is one.
const rehearsal = 100_000

func init() {
	// All parts are started by the main goroutine, and die with its thread: see part.
	runtime.LockOSThread()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "million:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	role := flag.String("part", "", "internal: be a part of a trial")
	spec := flag.String("spec", "", "internal: which part")
	flag.IntVar(&o.conns, "conns", 1_000_000, "connections")
	flag.IntVar(&o.rooms, "rooms", 0, "small rooms (default one for 100 connections)")
	flag.IntVar(&o.nodes, "nodes", 0, "hub processes, if more than the limit of open files needs")
	flag.Float64Var(&o.deliveries, "deliveries", 10_000, "messages that clients get a second in the small rooms")
	flag.DurationVar(&o.pace, "for", 0, "how long those are published (default 60s, or 6s below 100,000 connections)")
	flag.DurationVar(&o.interval, "heartbeat", 0, "heartbeat interval; at least 2s (default 25s, or 4s below 100,000 connections)")
	asked := flag.Bool("asked", false, "clients are silent until a hub pings them, and do not beat unasked")
	flag.StringVar(&o.acts, "acts", "", "comma-separated `names` of what to show: fanout, small, beats, asked, kill (default all)")
	flag.BoolVar(&o.stream, "sse", false, "the clients read event streams; they are pinged by comments, and no hub is killed")
	flag.IntVar(&o.size, "size", 128, "`bytes` of a message")
	flag.IntVar(&o.parallel, "parallel", 2, "load processes that connect at the same time")
	flag.IntVar(&o.window, "window", 256, "connections that each of those has on the way at once")
	leave := flag.Float64("leave", 1.5, "`GB` of memory below which the trial ends")
	flag.BoolVar(&o.quiet, "quiet", false, "do not tell how it goes")
	out := flag.String("o", "", "write the report to `file`, and as JSON beside it; to standard output without it")
	flag.Parse()
	if *role != "" {
		return serve(*role, *spec)
	}
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if err := o.complete(); err != nil {
		return err
	}
	if *asked || o.stream {
		o.beat = 0
	}
	o.leave = int64(*leave * 1e9)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := guard(ctx, o.leave)
	defer cancel(nil)
	t, err := newTrial(o)
	if err != nil {
		return err
	}
	t.Machine, t.GC, t.Kernel = machine.Look(ctx), partEnv, kernelSettings()
	defer t.stop()
	if err = t.run(ctx); err != nil {
		t.Failed = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if *out == "" {
		if err == nil {
			_, err = fmt.Print(t.page(""))
		}
		return err
	}
	return errors.Join(err, t.write(*out))
}

// complete fills in what was not said, and reports what cannot be.
func (o *options) complete() error {
	pace, interval := time.Minute, 25*time.Second
	if o.conns < rehearsal {
		pace, interval = 6*time.Second, 4*time.Second
	}
	if o.rooms == 0 {
		o.rooms = max(1, o.conns/100)
	}
	if o.pace == 0 {
		o.pace = pace
	}
	if o.interval == 0 {
		o.interval = interval
	}
	o.timeout = min(o.interval, 10*time.Second)
	o.tick, o.beat = min(o.interval/25, o.timeout), o.interval-o.interval/25
	switch {
	case o.conns < 100:
		return fmt.Errorf("%d connections: at least 100", o.conns)
	case o.rooms < 1 || o.rooms > o.conns:
		return fmt.Errorf("%d rooms for %d connections", o.rooms, o.conns)
	case !(o.deliveries > 0) || o.pace < time.Second || o.size < 20 || o.parallel < 1 || o.window < 1:
		return fmt.Errorf("-deliveries, -for, -size, -parallel and -window must be positive, -for at least 1s, -size at least 20")
	case o.interval < 2*time.Second:
		return fmt.Errorf("a heartbeat of %v: at least 2s", o.interval)
	}
	return nil
}
