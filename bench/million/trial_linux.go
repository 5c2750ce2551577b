package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/preflight"
)

// redisNice is Redis's priority, if the trial may set it.
const redisNice = -20

// options is the command line.
type options struct {
	conns, rooms, nodes int
	deliveries          float64 // a second, in the small rooms
	pace                time.Duration
	// The heartbeat's. A coarse tick has each hub ping many connections at a time: where a hundred processes share
	// two cores, most of what a single ping costs is waking up for it.
	interval, timeout, tick time.Duration
	beat                    time.Duration // how often clients let themselves be heard, unasked
	size                    int
	parallel, window        int
	leave                   int64 // bytes of memory that must stay available
	quiet                   bool
	stream                  bool   // event streams
	acts                    string // a list; empty for all
}

// trial is everything that runs.
type trial struct {
	opt    options
	plan   plan
	redis  []*part // one
	nodes  []*part
	crowds []*part

	acts []act

	began     time.Time
	members   []int    // of each small room
	tops      []uint64 // newest offset of each small room
	messages  int      // to small rooms so far
	common    int      // messages to the common room so far
	killedCPU time.Duration
	connected time.Time  // all of them
	then      CrowdStats // what the load processes said then
	tries     NodeStats  // what the hubs said when all had come back from the one that was killed
	Report
}

// newTrial looks at limits and memory and starts nothing.
func newTrial(o options) (*trial, error) {
	r, err := check(o.conns)
	if err != nil {
		return nil, err
	}
	t := &trial{opt: o, began: time.Now()}
	if t.plan, err = newPlan(o.conns, o.rooms, o.nodes, r); err != nil {
		return nil, fmt.Errorf("this machine is too small for that; -conns takes less:\n%w", err)
	}
	if t.acts, err = chooseActs(o.acts, t.all(), o.stream); err != nil {
		return nil, err
	}
	t.members, t.tops = make([]int, o.rooms), make([]uint64, o.rooms)
	for i := range o.conns {
		t.members[homeOf(i, o.rooms)]++
	}
	t.Report.Plan, t.Report.Options = t.plan, settings{
		Deliveries: o.deliveries, Pace: o.pace.Seconds(), Interval: o.interval.Seconds(),
		Timeout: o.timeout.Seconds(), Tick: o.tick.Seconds(), Beat: o.beat.Seconds(), Size: o.size, Stream: o.stream,
	}
	return t, nil
}

// check looks at the machine's limits, with a connection open: by that it can be seen whether netfilter, where it is
// loaded, follows connections at all.
func check(conns int) (r preflight.Report, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	defer func() { _ = l.Close() }()
	conn, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // to a socket of our own
	if err != nil {
		return r, err
	}
	defer func() { _ = conn.Close() }()
	return preflight.Check(preflight.WithConnBytes(userBytes, kernelBytes), preflight.WithTarget(conns))
}

// logf tells how it goes.
func (t *trial) logf(format string, args ...any) {
	if !t.opt.quiet {
		fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(t.began).Seconds(), fmt.Sprintf(format, args...))
	}
}

// start starts Redis, the hubs and the load processes.
func (t *trial) start(ctx context.Context) error {
	addr, err := t.startRedis(ctx)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := range t.plan.Nodes {
		spec := nodeSpec{Name: fmt.Sprintf("n%d", i), Redis: addr, Interval: t.opt.interval, Timeout: t.opt.timeout, Tick: t.opt.tick}
		p, err := launchSelf(self, "node", fmt.Sprintf("hub %d", i), spec)
		if err != nil {
			return err
		}
		t.nodes = append(t.nodes, p)
	}
	addrs := make([]string, len(t.nodes))
	if err := each(ctx, t.nodes, 0, func(ctx context.Context, i int, p *part) error {
		return p.order(ctx, "Address", None{}, &addrs[i])
	}); err != nil {
		return err
	}
	for i := range t.plan.Crowds {
		first := i * t.plan.PerCrowd
		spec := crowdSpec{
			First: first, Conns: min(t.plan.PerCrowd, t.plan.Conns-first), Rooms: t.plan.Rooms,
			Nodes: addrs, PerNode: t.plan.PerNode, Window: t.opt.window, Beat: t.opt.beat, Stream: t.opt.stream,
		}
		p, err := launchSelf(self, "crowd", fmt.Sprintf("load %d", i), spec)
		if err != nil {
			return err
		}
		t.crowds = append(t.crowds, p)
	}
	return each(ctx, t.crowds, 0, func(ctx context.Context, _ int, p *part) error {
		return p.order(ctx, "Ready", None{}, new(None))
	})
}

// launchSelf starts this program as a part.
func launchSelf(self, role, name string, spec any) (*part, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-part", role, "-spec", string(text)) //nolint:gosec,noctx // this program; kill ends it
	cmd.Env = append(os.Environ(), partEnv...)
	return launch(name, cmd, true)
}

// startRedis starts a server that keeps everything in memory and returns its address.
func (t *trial) startRedis(ctx context.Context) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr = l.Addr().String()
	if err := l.Close(); err != nil { // and Redis takes the port a moment later
		return "", err
	}
	dir, err := os.MkdirTemp("", "hubkit-million-")
	if err != nil {
		return "", err
	}
	// Redis writes nothing there. Once it runs the folder can go, so that none is left behind whatever happens.
	defer func() { _ = os.Remove(dir) }()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, //nolint:gosec,noctx // kill ends it
		"--save", "", "--appendonly", "no", "--maxclients", "4000", "--loglevel", "warning")
	redis, err := launch("redis-server", cmd, false)
	if err != nil {
		return "", err
	}
	t.redis = append(t.redis, redis)
	// It shares two cores with a hundred processes. If it waited its turn, the hubs would take it for dead, connect anew and
	// subscribe to all rooms again, which costs it more than the trial. In a deployment it has a core of its own.
	if unix.Setpriority(unix.PRIO_PROCESS, cmd.Process.Pid, redisNice) == nil {
		t.Kernel = append(t.Kernel, fmt.Sprintf("Redis at nice %d", redisNice))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("redis-server does not listen"))
	defer cancel()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return addr, conn.Close()
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %s", context.Cause(ctx), redis.stderr.tail())
		case <-redis.done:
			return "", fmt.Errorf("redis-server has ended: %s", redis.stderr.tail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop kills every part.
func (t *trial) stop() {
	var wg sync.WaitGroup
	for _, p := range slices.Concat(t.crowds, t.nodes, t.redis) {
		wg.Go(p.kill)
	}
	wg.Wait()
}

// each gives all parts orders, at most so many at a time; zero for all. It returns when the last is done, or the
// first has failed.
func each(ctx context.Context, parts []*part, atOnce int, fn func(ctx context.Context, i int, p *part) error) error {
	if atOnce <= 0 {
		atOnce = len(parts)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	places := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, p := range parts {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-places }()
			if err := fn(ctx, i, p); err != nil {
				fail(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// guard ends the trial when memory runs short, before the kernel chooses what to kill. It returns how to end it.
func guard(ctx context.Context, leave int64) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if left, err := available(); err == nil && left < leave {
				cancel(fmt.Errorf("only %s of memory are left", size(left)))
			}
		}
	}()
	return ctx, cancel
}

// crowd adds up what the load processes say.
func (t *trial) crowd(ctx context.Context) (sum CrowdStats, err error) {
	all := make([]CrowdStats, len(t.crowds))
	err = each(ctx, t.crowds, 0, func(ctx context.Context, i int, p *part) error {
		return p.order(ctx, "Stats", None{}, &all[i])
	})
	sum.Lost = make(map[int]int)
	for _, s := range all {
		sum.Open += s.Open
		sum.Joined += s.Joined
		sum.Back += s.Back
		sum.Tries += s.Tries
		sum.Beats += s.Beats
		sum.Pings += s.Pings
		sum.Common += s.Common
		sum.Small += s.Small
		sum.Again += s.Again
		sum.Stale += s.Stale
		sum.Missing += s.Missing
		sum.Repeated += s.Repeated
		sum.Gaps += s.Gaps
		sum.Refused += s.Refused
		sum.Strange += s.Strange
		for code, n := range s.Lost {
			sum.Lost[code] += n
		}
		if sum.Fault == "" {
			sum.Fault = s.Fault
		}
	}
	return sum, err
}

// hubs adds up what the hubs say, but for those that were killed.
func (t *trial) hubs(ctx context.Context) (sum NodeStats, err error) {
	all := make([]NodeStats, len(t.nodes))
	err = each(ctx, t.nodes, 0, func(ctx context.Context, i int, p *part) error {
		return p.order(ctx, "Stats", None{}, &all[i])
	})
	sum.Closed = make(map[int]int64)
	for _, s := range all {
		sum.Conns += s.Conns
		sum.Rooms += s.Rooms
		sum.Users += s.Users
		sum.Delivered += s.Delivered
		sum.Dropped += s.Dropped
		sum.Replayed += s.Replayed
		sum.Gaps += s.Gaps
		sum.Pings += s.Pings
		sum.Expired += s.Expired
		sum.Goroutines += s.Goroutines
		sum.Heap += s.Heap
		sum.Stack += s.Stack
		sum.Sys += s.Sys
		for code, n := range s.Closed {
			sum.Closed[code] += n
		}
	}
	return sum, err
}

// problems collects what is not as it should be.
type problems []string

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Sprintf(format, args...))
	}
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return errors.New(strings.Join(p, "; "))
}
