// Hubdoctor prints how many connections are safe on this machine, which limit of the operating system
// binds, and the lines that change it.
//
//	go run github.com/gohubkit/hubkit/cmd/hubdoctor -target 100000
//
// Run it where the service runs, and as the service runs: in its container, with its systemd unit's
// limits. Its exit status is 0; with -target, 1 where that many connections are not known to be safe; 2
// where it was used wrongly or could not write.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/gohubkit/hubkit/preflight"
)

const (
	statusOK = iota
	statusShort
	statusUsage
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with its surroundings; opts come after those of the flags.
func run(args []string, stdout, stderr io.Writer, opts ...preflight.Option) int {
	flags := flag.NewFlagSet("hubdoctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print JSON")
	target := flags.Int("target", 0, "exit with status 1 if fewer `connections` are safe, and show the settings that allow them")
	reserve := flags.Int("reserve", 0, "file `descriptors` to keep back from connections (default 64 and 1 % of the limit)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return statusOK
		}
		return statusUsage
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(stderr, "hubdoctor: unexpected argument %q\n", flags.Arg(0))
		return statusUsage
	}

	var chosen []preflight.Option
	asked := false
	flags.Visit(func(f *flag.Flag) { // only flags that were given: zero is an error for one and a choice for the other
		switch f.Name {
		case "target":
			asked = true
			chosen = append(chosen, preflight.WithTarget(*target))
		case "reserve":
			chosen = append(chosen, preflight.WithReserve(*reserve))
		}
	})
	report, err := preflight.Check(append(chosen, opts...)...)
	if err == nil {
		err = write(stdout, report, *asJSON)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "hubdoctor: %v\n", err)
		return statusUsage
	}
	if asked && !enough(report) {
		return statusShort
	}
	return statusOK
}

func write(w io.Writer, r preflight.Report, asJSON bool) error {
	if !asJSON {
		return r.WriteText(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// enough reports whether the target is known to be safe.
func enough(r preflight.Report) bool {
	return r.SafeConns == preflight.Unlimited || r.SafeConns >= r.Target
}
