// Hubload connects many WebSocket clients to a server, publishes, and measures what arrives.
//
//	go -C cmd/hubload run . ws://127.0.0.1:8080/ws
//
// README.md tells how to use it and how to read what it says; -h lists the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/fleet"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/screen"
)

// Exit statuses; report.Outcome has the others.
const (
	statusOK     = 0
	statusUsage  = 2
	statusBroken = 3
)

func main() {
	if os.Getenv(fleet.WorkerEnv) != "" {
		os.Exit(work())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// work is main in a process of the test. Ctrl-C reaches it too, but it is the first process that ends the test.
func work() int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	if err := load.Run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusBroken
	}
	return statusOK
}

func run(args []string, stdout, stderr *os.File) int {
	cmd, err := plan.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		plan.Help(stdout)
		return statusOK
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "hubload: %v\nhubload -h lists the flags.\n", err)
		return statusUsage
	}
	cmd.Plan.Run = rand.Uint32()
	text := stdout
	if cmd.JSON == "-" {
		text = stderr
	}
	ctx, stop := interruptible()
	defer stop()
	view := screen.New(text, &cmd.Plan, cmd.Quiet)
	result, err := fleet.Run(ctx, &cmd.Plan, view.Show)
	view.Close()
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "hubload: %v\n", err)
		return statusBroken
	}
	result.Judge(cmd.Thresholds)
	err = errors.Join(
		result.WriteText(text),
		write(cmd.JSON, stdout, result.WriteJSON),
		write(cmd.HTML, stdout, result.WriteHTML))
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "hubload: %v\n", err)
		return statusBroken
	}
	return result.Outcome.Status()
}

// interruptible ends its context at the first signal, on which the test ends in order; at the second the process
// ends, and with it all others.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// write writes a file, or the standard output where it is called "-".
func write(name string, stdout io.Writer, fill func(io.Writer) error) (err error) {
	switch name {
	case "":
		return nil
	case "-":
		return fill(stdout)
	}
	f, err := os.Create(name) //nolint:gosec // the user's choice
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return fill(f)
}
