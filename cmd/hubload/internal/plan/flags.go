package plan

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Command is the whole command line.
type Command struct {
	Plan       Plan
	Thresholds Thresholds
	// JSON and HTML are the files to write; "" for none, and "-" for the standard output.
	JSON, HTML string
	Quiet      bool
}

// ErrUsage is what Parse's errors about the command line match.
var ErrUsage = errors.New("usage")

// groups are the flags in the order of the help.
var groups = []struct {
	title string
	flags []string
}{
	{"Connections", []string{"conns", "ramp", "inflight", "connect-timeout", "reconnect", "ping"}},
	{"Load", []string{"room", "rooms", "rooms-per-conn", "rate", "size", "duration", "publishers", "grace"}},
	{"How to talk to the server", []string{"token", "header", "subprotocol", "insecure"}},
	{"Servers that are not hubkit's", []string{"raw", "hello", "frame"}},
	{"This machine", []string{"procs", "source", "portable"}},
	{"Thresholds: exit status 1 where one does not hold; N is a number, or a share such as 0.1%", []string{
		"max-failed", "max-closed", "max-loss", "max-errors", "max-late", "max-connect-p99", "max-delivery-p99", "max-ping-p99"}},
	{"Output", []string{"json", "html", "quiet"}},
}

func (c *Command) flags() *flag.FlagSet {
	p, t := &c.Plan, &c.Thresholds
	p.Header = http.Header{}
	fs := flag.NewFlagSet("hubload", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&p.Conns, "conns", 1000, "`connections` in all")
	fs.Float64Var(&p.Ramp, "ramp", 1000, "new `connections a second`; 0 means as fast as the server accepts them")
	fs.IntVar(&p.Inflight, "inflight", 200, "`handshakes` under way at once in each process")
	fs.DurationVar(&p.ConnectTimeout, "connect-timeout", 15*time.Second, "`time` from the dial until the welcome has arrived and all rooms are joined")
	fs.BoolVar(&p.Reconnect, "reconnect", false, "reconnect failed and closed connections, with jittered backoff and the server's hints")
	fs.DurationVar(&p.PingEvery, "ping", 0, "`interval` of WebSocket pings on each connection, whose round trip is measured; 0 for none (default 5s with -raw connect)")

	fs.StringVar(&p.Room, "room", "hubload", "`name` of the room; with several, of room n it is \"name-n\"")
	fs.IntVar(&p.Rooms, "rooms", 1, "`rooms`, which share the connections evenly")
	fs.IntVar(&p.RoomsPerConn, "rooms-per-conn", 1, "`rooms` that each connection joins")
	fs.Float64Var(&p.Rate, "rate", 10, "published `messages a second`, over all rooms; 0 only holds the connections")
	fs.IntVar(&p.Size, "size", 128, "`bytes` of a message")
	fs.DurationVar(&p.Duration, "duration", 30*time.Second, "`time` to publish for, after all are connected")
	fs.IntVar(&p.Publishers, "publishers", 0, "`connections` of each room that publish (default as many as it takes for each to stay below 50 messages/s)")
	fs.DurationVar(&p.Grace, "grace", 5*time.Second, "`time` without a delivery after which missing messages count as lost")

	fs.StringVar(&p.Token, "token", "", "`token` of the hello; @FILE reads it from a file")
	fs.Func("header", "`'Name: value'` sent with each handshake; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(s, "\r\n") {
			return errors.New(`not "Name: value"`)
		}
		p.Header.Add(name, strings.TrimSpace(value))
		return nil
	})
	fs.StringVar(&p.Subprotocol, "subprotocol", "", "`subprotocol` to ask for (default hubkit.v1, with -raw none)")
	fs.BoolVar(&p.Insecure, "insecure", false, "do not verify the certificate of a wss server")

	fs.Func("raw", "any WebSocket server, by its `behavior`: connect (unknown: measures connecting and pings), "+
		"echo (messages come back to their sender) or broadcast (messages come to all in the room, the sender too)", func(s string) error {
		p.Mode = Mode(s)
		if p.Mode != Connect && p.Mode != Echo && p.Mode != Broadcast {
			return errors.New("not connect, echo or broadcast")
		}
		return nil
	})
	fs.Func("hello", "first `frame` of each connection, with -raw; may be repeated; {conn} and {room} are filled in", func(s string) error {
		p.Hello = append(p.Hello, s)
		return nil
	})
	fs.StringVar(&p.Frame, "frame", "", "`frame` around a message, with -raw: {payload} is the message; {conn} and {room} are filled in (default {payload})")

	fs.IntVar(&p.Procs, "procs", 0, "`processes` that share the connections (default as many as the limit of open files requires)")
	fs.Func("source", "local `addresses` to connect from, separated by commas (default the system's; on loopback as many as needed)", func(s string) error {
		p.Sources = append(p.Sources, strings.Split(s, ",")...)
		return nil
	})
	fs.BoolVar(&p.Portable, "portable", false, "use a goroutine for each connection instead of epoll, as on systems other than Linux and with wss")

	fs.Func("max-failed", "at most `N` connections never became ready", amountVar(&t.Failed))
	fs.Func("max-closed", "at most `N` connections were closed before the end", amountVar(&t.Closed))
	fs.Func("max-loss", "at most `N` expected deliveries did not arrive", amountVar(&t.Loss))
	fs.Func("max-errors", "at most `N` publishes were refused, unanswered or not sent", amountVar(&t.Errors))
	fs.Func("max-late", "at most `N` messages came twice or out of order", amountVar(&t.Late))
	fs.Func("max-connect-p99", "99 of 100 connections are ready within this `time`", durationVar(&t.ConnectP99))
	fs.Func("max-delivery-p99", "99 of 100 deliveries take at most this `time`", durationVar(&t.DeliveryP99))
	fs.Func("max-ping-p99", "99 of 100 pings are answered within this `time`", durationVar(&t.PingP99))

	fs.StringVar(&c.JSON, "json", "", "write the result as JSON to this `file`; - for the standard output")
	fs.StringVar(&c.HTML, "html", "", "write a report with charts to this `file`, which can be read offline")
	fs.BoolVar(&c.Quiet, "quiet", false, "print only the result, no progress")
	return fs
}

// Parse reads a command line. It reports every fault of it, in an error that matches ErrUsage, or flag.ErrHelp.
func Parse(args []string) (Command, error) {
	var c Command
	c.Plan.Mode = Hub
	fs := c.flags()
	var faults []error
	for len(args) > 0 {
		err := fs.Parse(args)
		switch args = fs.Args(); {
		case errors.Is(err, flag.ErrHelp):
			return c, err
		case err != nil:
			faults = append(faults, err)
		case len(args) > 0: // flags may follow a URL
			c.Plan.Targets = append(c.Plan.Targets, args[0])
			args = args[1:]
		}
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if err := errors.Join(append(faults, c.Plan.resolve(given)...)...); err != nil {
		return c, fmt.Errorf("%w\n%w", ErrUsage, err)
	}
	return c, nil
}

// Help writes what the flags are for.
func Help(w io.Writer) {
	var b strings.Builder
	b.WriteString(`Hubload connects many WebSocket clients to a server, publishes, and measures what arrives.

	hubload [flags] URL...

With several URLs, such as the nodes of a cluster, the connections are spread evenly over them.
`)
	var c Command
	fs := c.flags()
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s\n", g.title)
		for _, name := range g.flags {
			f := fs.Lookup(name)
			arg, usage := flag.UnquoteUsage(f)
			fmt.Fprintf(&b, "  %s\n", strings.TrimSpace("-"+name+" "+arg))
			if d := f.DefValue; d != "" && d != "0" && d != "0s" && d != "false" {
				usage += " (default " + d + ")"
			}
			b.WriteString(wrap(usage, "        ", 100))
		}
	}
	b.WriteString(`
Exit status: 0 all thresholds held, 1 one did not, 2 the command line is wrong, 3 the test could not be run to its end.
`)
	_, _ = io.WriteString(w, b.String())
}

// wrap breaks text into indented lines of at most width bytes.
func wrap(text, indent string, width int) string {
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word)+1 > width && line != indent {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
