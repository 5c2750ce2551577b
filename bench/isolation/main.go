// Isolation measures what light calls, broadcasts and heartbeats feel of CPU-heavy calls:
//
//	cd bench && go run ./isolation
//
// For each number of processors given to Go it runs a hub in a process of its own and puts clients on it: some
// that call a light handler now and then, members of a room in which the hub publishes, some that send pings,
// and, but for the first case, some that call a handler of pure computation as fast as they get answers. It prints
// a Markdown table of the 99th percentiles: with nobody computing; on the pool with its default of workers; on a pool
// with a worker for every processor; and on no pool at all.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// setup is one case.
type setup struct {
	Name    string
	Heavy   bool          // clients compute
	Pool    bool          // on the pool
	Workers int           // of the pool; zero for its default, -1 for one a processor
	Task    time.Duration // what one heavy call computes for on an idle machine
}

func setups(task time.Duration, workers int) []setup {
	all := []setup{
		{Name: "idle"},
		{Name: "pool, default workers", Heavy: true, Pool: true},
		{Name: "pool, a worker a processor", Heavy: true, Pool: true, Workers: -1},
		{Name: "no pool", Heavy: true},
	}
	if workers > 0 {
		all = append(all[:1], setup{Name: fmt.Sprintf("pool, %d workers", workers), Heavy: true, Pool: true, Workers: workers})
	}
	for i := range all {
		all[i].Task = task
	}
	return all
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "isolation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("isolation", flag.ContinueOnError)
	procs := flags.String("procs", "2,4", "comma-separated `numbers` of processors Go may use")
	workers := flags.Int("workers", 0, "measure only a pool of this `number` of workers, beside idle")
	phase := flags.Duration("time", 8*time.Second, "`time` to measure each case for")
	task := flags.Duration("task", 20*time.Millisecond, "what a heavy call computes for on an idle machine")
	serveCase := flags.String("serve", "", "be the server of a case, in JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serveCase != "" {
		var s setup
		if err := json.Unmarshal([]byte(*serveCase), &s); err != nil {
			return err
		}
		return serve(s, stdin, stdout)
	}
	if *phase <= 0 || *task <= 0 {
		return errors.New("-time and -task must be positive")
	}
	out := tabwriter.NewWriter(stdout, 0, 0, 1, ' ', tabwriter.Debug)
	_, _ = fmt.Fprint(out, "| GOMAXPROCS\t heavy calls\t light call p50 ms\t p99\t broadcast p50 ms\t p99\t pong p50 ms\t p99\t hub's pings\t cut\t heavy/s\t busy/s\t\n")
	_, _ = fmt.Fprintln(out, "|---:\t---\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t")
	for _, n := range strings.Split(*procs, ",") {
		p, err := strconv.Atoi(n)
		if err != nil || p < 1 {
			return fmt.Errorf("-procs: %q is no number of processors", n)
		}
		for _, s := range setups(*task, *workers) {
			r, err := measure(ctx, s, p, *phase)
			if err != nil {
				return fmt.Errorf("%s, GOMAXPROCS=%d: %w", s.Name, p, err)
			}
			_, _ = fmt.Fprintf(out, "| %d\t %s\t %s\t %s\t %s\t %d\t %d\t %.0f\t %.0f\t\n", p, s.Name, r.calls.row(), r.broadcasts.row(), r.pongs.row(),
				r.Pings, r.Expired, float64(r.heavy)/phase.Seconds(), float64(r.busy)/phase.Seconds())
		}
	}
	return out.Flush()
}

// measure runs one case in a server of its own.
func measure(ctx context.Context, s setup, procs int, phase time.Duration) (r results, err error) {
	exe, err := os.Executable()
	if err != nil {
		return r, err
	}
	spec, err := json.Marshal(s)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, exe, "-serve", string(spec)) //nolint:gosec // it is this program
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return r, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	answers := json.NewDecoder(out)
	var url string
	if err = answers.Decode(&url); err == nil {
		r, err = load(ctx, url, s, phase)
	}
	_ = in.Close() // which tells it to end
	if err == nil {
		err = answers.Decode(&r.serverStats)
	}
	return r, errors.Join(err, cmd.Wait())
}
