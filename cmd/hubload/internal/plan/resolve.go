package plan

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// MinSize is the length in bytes of the smallest message: what a receiver must know of it.
const MinSize = 44

// perConn is how many messages a second one connection publishes unless told otherwise: half of what a hub lets
// it by default.
const perConn = 50

// resolve fills in what follows from other flags and returns all faults.
func (p *Plan) resolve(given map[string]bool) (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(p.Targets) == 0 {
		fault("no URL: hubload ws://127.0.0.1:8080/ws")
	}
	for i, t := range p.Targets {
		if err := checkTarget(&p.Targets[i]); err != nil {
			fault("%s: %v", t, err)
		}
	}
	for _, n := range []struct {
		flag     string
		value    int
		min, max int
	}{
		{"conns", p.Conns, 1, 10_000_000}, {"inflight", p.Inflight, 1, 100_000}, {"rooms", p.Rooms, 1, 1_000_000},
		{"rooms-per-conn", p.RoomsPerConn, 1, 1000}, {"size", p.Size, MinSize, 16 << 20},
		{"publishers", p.Publishers, 0, 100_000}, {"procs", p.Procs, 0, 1024},
	} {
		if n.value < n.min || n.value > n.max {
			fault("-%s %d is not from %d to %d", n.flag, n.value, n.min, n.max)
		}
	}
	for name, v := range map[string]float64{"ramp": p.Ramp, "rate": p.Rate} {
		if !(v >= 0) || v > 10_000_000 {
			fault("-%s %v is not from 0 to 10000000", name, v)
		}
	}
	for name, d := range map[string]time.Duration{"duration": p.Duration, "connect-timeout": p.ConnectTimeout, "grace": p.Grace} {
		if d < 100*time.Millisecond || d > 7*24*time.Hour {
			fault("-%s %v is not from 100ms to 168h", name, d)
		}
	}
	if p.PingEvery != 0 && p.PingEvery < 100*time.Millisecond {
		fault("-ping %v is not 0, nor 100ms or more", p.PingEvery)
	}
	for _, s := range p.Sources {
		if _, err := netip.ParseAddr(s); err != nil {
			fault("-source %s is not an IP address", s)
		}
	}
	faults = append(faults, p.resolveMode(given)...)
	if len(faults) == 0 {
		faults = append(faults, p.resolveRooms()...)
	}
	return faults
}

// checkTarget also gives a target without a path one.
func checkTarget(target *string) error {
	u, err := url.Parse(*target)
	switch {
	case err != nil:
		return errors.Unwrap(err)
	case u.Scheme != "ws" && u.Scheme != "wss":
		return errors.New("not a ws:// or wss:// URL")
	case u.Hostname() == "":
		return errors.New("no host")
	case u.User != nil:
		return errors.New("for a user and a password use -header 'Authorization: ...'")
	case u.Fragment != "":
		return errors.New("a WebSocket URL has no fragment")
	}
	if u.Path == "" {
		u.Path = "/"
		*target = strings.NewReplacer("%7B", "{", "%7D", "}").Replace(u.String())
	}
	return nil
}

func (p *Plan) resolveMode(given map[string]bool) (faults []error) {
	only := func(wrong bool, flag, when string) {
		if wrong && given[flag] {
			faults = append(faults, fmt.Errorf("-%s is only for %s", flag, when))
		}
	}
	raw := p.Mode != Hub
	only(!raw, "hello", "-raw")
	only(!raw, "frame", "-raw echo and -raw broadcast")
	only(raw, "token", "hubkit's protocol, not for -raw")
	only(raw, "rooms-per-conn", "hubkit's protocol, not for -raw")
	only(p.Mode == Connect, "rate", "servers that something is known of, not for -raw connect")
	only(p.Mode == Echo, "publishers", "rooms, not for -raw echo, where every connection sends")
	if file, ok := strings.CutPrefix(p.Token, "@"); ok {
		b, err := os.ReadFile(file) //nolint:gosec // the user names it
		if err != nil {
			faults = append(faults, fmt.Errorf("-token: %w", err))
		}
		p.Token = strings.TrimSpace(string(b))
	}
	if !raw && p.Subprotocol == "" {
		p.Subprotocol = protocol.Subprotocol
	}
	if p.Mode == Connect {
		p.Rate = 0
		if !given["ping"] {
			p.PingEvery = 5 * time.Second
		}
	}
	if p.Frame == "" {
		p.Frame = HoldPayload
	}
	if strings.Count(p.Frame, HoldPayload) != 1 {
		faults = append(faults, errors.New("-frame does not have {payload} in it, once"))
	}
	return faults
}

// resolveRooms finds who publishes.
func (p *Plan) resolveRooms() (faults []error) {
	members := p.Conns * p.RoomsPerConn / p.Rooms // of the smallest room
	switch {
	case p.RoomsPerConn > p.Rooms:
		faults = append(faults, fmt.Errorf("-rooms-per-conn %d is more than -rooms %d", p.RoomsPerConn, p.Rooms))
	case members == 0:
		faults = append(faults, fmt.Errorf("-rooms %d is more than -conns %d with -rooms-per-conn %d can fill", p.Rooms, p.Conns, p.RoomsPerConn))
	case p.Mode == Echo:
		p.Publishers = 1
	case p.Publishers > members:
		faults = append(faults, fmt.Errorf("-publishers %d is more than a room's %d connections", p.Publishers, members))
	case p.Publishers == 0:
		p.Publishers = max(1, int(math.Ceil(p.Rate*float64(p.RoomsPerConn)/float64(p.Rooms)/perConn)))
		if p.Publishers > members {
			faults = append(faults, fmt.Errorf("-rate %v needs %d publishers in each room, which has %d connections; say -publishers %d if each may publish more than %d messages/s",
				p.Rate, p.Publishers, members, members, perConn))
		}
	}
	return faults
}
