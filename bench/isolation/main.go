// Isolation measures what light calls, broadcasts and heartbeats feel of CPU-heavy calls:
//
//	cd bench && go run ./isolation
//
// For each number of processors given to Go it runs a hub in a process of its own and puts clients on it: some
// that call a light handler now and then, members of a room in which the hub publishes, some that send pings,
// and, in most cases, some that call a handler of pure computation as fast as they get answers. The cases: nobody
// computes; another process computes on one thread, which is a busy core and no fault of the hub; handlers compute on the
// pool with its default of workers; on a pool with a worker for every processor; and on no pool at all. All cases are
// measured in turn, and that again in every round: the Markdown table has the median over the rounds of each figure. A
// measurement that other processes disturb is repeated a few times; the last column says what they used of a processor.
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
	Beside  bool          // another process computes, on one thread
	Heavy   bool          // clients compute
	Pool    bool          // on the pool
	Workers int           // of the pool; zero for its default, -1 for one a processor
	Task    time.Duration // what one heavy call computes for on an idle machine
}

func setups(task time.Duration, workers int) []setup {
	all := []setup{
		{Name: "idle"},
		{Name: "another process", Beside: true},
		{Name: "pool, default workers", Heavy: true, Pool: true},
		{Name: "pool, a worker a processor", Heavy: true, Pool: true, Workers: -1},
		{Name: "no pool", Heavy: true},
	}
	if workers > 0 {
		all = append(all[:2], setup{Name: fmt.Sprintf("pool, %d workers", workers), Heavy: true, Pool: true, Workers: workers})
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
	workers := flags.Int("workers", 0, "of the pools, measure only one of this `number` of workers")
	rounds := flags.Int("rounds", 3, "`number` of times that each case is measured")
	phase := flags.Duration("time", 8*time.Second, "`time` to measure each case for")
	task := flags.Duration("task", 20*time.Millisecond, "what a heavy call computes for on an idle machine")
	tries := flags.Int("tries", 3, "`number` of times that a measurement is made, until other processes leave it alone")
	burning := flags.Bool("burn", false, "be the process that computes")
	serveCase := flags.String("serve", "", "be the server of a case, in JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *burning {
		burn(stdin)
		return nil
	}
	if *serveCase != "" {
		var s setup
		if err := json.Unmarshal([]byte(*serveCase), &s); err != nil {
			return err
		}
		return serve(s, stdin, stdout)
	}
	if *phase <= 0 || *task <= 0 || *rounds < 1 || *tries < 1 {
		return errors.New("-time, -task, -rounds and -tries must be positive")
	}
	out := tabwriter.NewWriter(stdout, 0, 0, 1, ' ', tabwriter.Debug)
	_, _ = fmt.Fprint(out, "| GOMAXPROCS\t heavy calls\t light call p50 ms\t p99\t broadcast p50 ms\t p99\t pong p50 ms\t p99\t hub's pings\t cut\t heavy/s\t busy/s\t others' CPU\t\n")
	_, _ = fmt.Fprintln(out, "|---:\t---\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t---:\t")
	for _, n := range strings.Split(*procs, ",") {
		p, err := strconv.Atoi(n)
		if err != nil || p < 1 {
			return fmt.Errorf("-procs: %q is no number of processors", n)
		}
		cases := setups(*task, *workers)
		measured := make([][]results, len(cases))
		for range *rounds {
			for i, s := range cases {
				r, err := undisturbed(ctx, s, p, *phase, *tries)
				if err != nil {
					return fmt.Errorf("%s, GOMAXPROCS=%d: %w", s.Name, p, err)
				}
				measured[i] = append(measured[i], r)
			}
		}
		for i, s := range cases {
			_, _ = fmt.Fprintf(out, "| %d\t %s\t %s\n", p, s.Name, row(measured[i], *phase))
		}
	}
	return out.Flush()
}

// undisturbed measures a case until other processes have left it alone, or it has tried often enough.
func undisturbed(ctx context.Context, s setup, procs int, phase time.Duration, tries int) (best results, err error) {
	for i := range tries {
		elsewhere := others()
		r, own, err := measure(ctx, s, procs, phase)
		if err != nil {
			return r, err
		}
		if r.others = elsewhere(own); i == 0 || r.others < best.others {
			best = r
		}
		if best.others <= othersMay {
			break
		}
	}
	return best, nil
}

// measure runs one case in a server of its own. own is what its processes computed, without this one.
func measure(ctx context.Context, s setup, procs int, phase time.Duration) (r results, own time.Duration, err error) {
	if s.Beside {
		burner, err := start(ctx, 1, "-burn")
		if err != nil {
			return r, 0, err
		}
		defer func() {
			err = errors.Join(err, burner.stop())
			own += burner.computed()
		}()
	}
	spec, err := json.Marshal(s)
	if err != nil {
		return r, 0, err
	}
	server, err := start(ctx, procs, "-serve", string(spec))
	if err != nil {
		return r, 0, err
	}
	answers := json.NewDecoder(server.out)
	var url string
	if err = answers.Decode(&url); err == nil {
		r, err = load(ctx, url, s, phase)
	}
	_ = server.in.Close() // which tells it to end
	if err == nil {
		err = answers.Decode(&r.serverStats)
	}
	err = errors.Join(err, server.stop())
	return r, server.computed(), err
}

// process is this program in another part.
type process struct {
	cmd *exec.Cmd
	in  io.Closer
	out io.Reader
}

func start(ctx context.Context, procs int, args ...string) (p process, err error) {
	exe, err := os.Executable()
	if err != nil {
		return p, err
	}
	p.cmd = exec.CommandContext(ctx, exe, args...) //nolint:gosec // it is this program
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return p, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return p, err
	}
	return p, p.cmd.Start()
}

// stop tells it to end, and waits until it has.
func (p process) stop() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}

// computed is its processor time; it has stopped.
func (p process) computed() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
