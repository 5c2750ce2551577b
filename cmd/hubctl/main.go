// Hubctl looks at running hubs and acts on them, through the dashboard that the service has mounted (package dash).
//
//	hubctl -url https://ops.example.com/dash/ nodes
//	hubctl top
//	hubctl conns -user ada
//	hubctl rooms -largest
//	hubctl tail chat:lobby
//	hubctl kick -user ada -reason "logged out"
//	hubctl remove -session node-7-3f2a-1 -room chat:lobby
//	hubctl send -user ada '{"notice":"the sale begins"}'
//	hubctl drain node-7
//
// The address is that of -url or HUBCTL_URL. What the dashboard's authorizer wants to see is given by -token or HUBCTL_TOKEN, which is
// sent as "Authorization: Bearer", or by -H. With -json the answers are printed as they are.
//
// The exit status is 0; 1 if the dashboard refused or could not be reached, or if a node did not answer; 2 if hubctl was used
// wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	statusOK = iota
	statusFailed
	statusUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// tool is what a command needs.
type tool struct {
	api     *api
	json    bool
	timeout time.Duration
	in      io.Reader
	out     io.Writer
	err     io.Writer
}

type command struct {
	name, args, does string
	run              func(ctx context.Context, t *tool, args []string) error
}

// commands are in the order in which they are listed.
var commands = []command{
	{"nodes", "", "list the nodes", nodes},
	{"conns", "[-user U] [-room R] [-session S] [-conn ID] [-node N] [-slowest] [-limit N] [-all]", "list connections", conns},
	{"rooms", "[-contains TEXT] [-room R] [-node N] [-largest] [-limit N] [-all]", "list rooms", rooms},
	{"top", "[-interval 2s] [-count N]", "show nodes, the largest rooms and the slowest consumers, again and again", top},
	{"tail", "[-count N] [-conn] NAME", "follow the messages of a room, or the frames of a connection", tail},
	{"kick", "-user U | -session S | -conn ID | -room R [-code 4102] [-reason TEXT] [-retry-after D] [-spread D] [-yes]", "close connections", kick},
	{"remove", "-user U | -session S | -conn ID -room R [-reason TEXT] [-yes]", "take connections out of a room", remove},
	{"send", "-user U | -session S | -conn ID | -room R JSON", "send a message to connections", send},
	{"publish", "ROOM JSON", "publish a message in a room", publish},
	{"drain", "[-yes] NODE", "have a node close its connections and end", drain},
}

// errUsage is returned by a command with wrong arguments, which it has already reported.
var errUsage = errors.New("usage")

// errIncomplete is what a command returns whose answer lacks some nodes. It has said so.
var errIncomplete = errors.New("not all nodes answered")

// run is main with its surroundings.
func run(ctx context.Context, args []string, env func(string) string, in io.Reader, out, errs io.Writer) int {
	t := &tool{in: in, out: out, err: errs}
	header := make(http.Header)
	flags := newFlags("hubctl", errs)
	address := flags.String("url", env("HUBCTL_URL"), "`address` of the dashboard; the default is that of HUBCTL_URL")
	token := flags.String("token", "", "`token` for the dashboard; the default is that of HUBCTL_TOKEN")
	flags.BoolVar(&t.json, "json", false, "print JSON")
	flags.DurationVar(&t.timeout, "timeout", 20*time.Second, "maximum `time` for an answer")
	flags.Func("H", "additional `header` of each request, as in \"Cookie: session=…\"", func(s string) error {
		name, value, ok := strings.Cut(s, ":")
		if !ok || name == "" {
			return errors.New("want Name: value")
		}
		header.Add(name, strings.TrimSpace(value))
		return nil
	})
	flags.Usage = func() { usage(errs, flags) }
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return statusOK
		}
		return statusUsage
	}
	if *token == "" {
		*token = env("HUBCTL_TOKEN")
	}
	if *token != "" {
		header.Set("Authorization", "Bearer "+*token)
	}
	for _, c := range commands {
		if c.name != flags.Arg(0) {
			continue
		}
		if *address == "" {
			_, _ = fmt.Fprintln(errs, "hubctl: where is the dashboard? Give -url or HUBCTL_URL")
			return statusUsage
		}
		var err error
		if t.api, err = newAPI(*address, header); err != nil {
			_, _ = fmt.Fprintln(errs, "hubctl:", err)
			return statusUsage
		}
		return t.status(c.run(ctx, t, flags.Args()[1:]))
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(errs, "hubctl: there is no command %q\n", flags.Arg(0))
	}
	usage(errs, flags)
	return statusUsage
}

// status says why a command failed, and returns the exit status.
func (t *tool) status(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return statusOK
	case errors.Is(err, errUsage):
		return statusUsage
	case errors.Is(err, errIncomplete):
		return statusFailed
	}
	_, _ = fmt.Fprintln(t.err, "hubctl:", err)
	return statusFailed
}

func newFlags(name string, errs io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(errs)
	return flags
}

// parse reads the flags of a command, after which there must be so many arguments.
func (t *tool) parse(flags *flag.FlagSet, args []string, rest int) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() != rest {
		return t.misuse("%s: want %d arguments after the flags, got %d", flags.Name(), rest, flags.NArg())
	}
	return nil
}

// misuse says what is wrong with the command line.
func (t *tool) misuse(format string, args ...any) error {
	_, _ = fmt.Fprintf(t.err, "hubctl: "+format+"\n", args...)
	return errUsage
}

// within bounds the time of one request.
func (t *tool) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.timeout)
}

func usage(w io.Writer, flags *flag.FlagSet) {
	_, _ = fmt.Fprint(w, "usage: hubctl [flags] command [arguments]\n\n")
	for _, c := range commands {
		_, _ = fmt.Fprintf(w, "  %s\n    \t%s\n", strings.TrimSpace(c.name+" "+c.args), c.does)
	}
	_, _ = fmt.Fprint(w, "\nflags:\n")
	flags.PrintDefaults()
}
