package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// act is a part of the trial.
type act struct {
	// flag is its name for -acts; empty for what is always done.
	flag, name string
	fn         func(context.Context) error
}

func (t *trial) all() []act {
	return []act{
		{"", "start", t.begin},
		{"", "connect", t.connect},
		{"fanout", "fan-out", t.fanOut("")},
		{"small", "small rooms", t.smallRooms},
		{"beats", "heartbeats", t.heartbeats},
		{"kill", "node killed", t.nodeKilled},
		{"kill", "fan-out after it", t.fanOut("after a node was killed")},
		{"asked", "hubs ping all", t.asked},
		{"asked", "fan-out meanwhile", t.fanOut("while the hubs ping all")},
		{"", "end", t.end},
	}
}

// chooseActs leaves out what a comma-separated list of flags does not name; an empty list names all. With streams there are no
// beats to silence, and no clients that come back where they were.
func chooseActs(list string, all []act, stream bool) ([]act, error) {
	if stream {
		all = slices.DeleteFunc(all, func(a act) bool { return a.flag == "asked" || a.flag == "kill" })
	}
	if list == "" {
		return all, nil
	}
	named := strings.Split(list, ",")
	for _, name := range named {
		if name == "" || !slices.ContainsFunc(all, func(a act) bool { return a.flag == name }) {
			return nil, fmt.Errorf("no act %q", name)
		}
	}
	return slices.DeleteFunc(all, func(a act) bool { return a.flag != "" && !slices.Contains(named, a.flag) }), nil
}

// run is the trial's acts, one after the other. Each fails where it did not show what it is to show; the others are
// shown all the same, where they can be: not without their connections.
func (t *trial) run(ctx context.Context) error {
	var failed []error
	for _, act := range t.acts {
		start, before := time.Now(), t.cpu()
		err := act.fn(ctx)
		t.Acts = append(t.Acts, Act{Name: act.name, Seconds: time.Since(start).Seconds(), CPU: t.cpu().minus(before)})
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", act.name, err)
		t.logf("failed: %v", err)
		if failed = append(failed, err); act.name == "start" || act.name == "connect" || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

func (t *trial) begin(ctx context.Context) error {
	t.logf("%s", t.plan)
	if err := t.start(ctx); err != nil {
		return err
	}
	var err error
	t.Memory.Before, err = t.memory()
	t.logf("started: %s", t.Memory.Before)
	return err
}

// connect opens all connections, some load processes at a time.
func (t *trial) connect(ctx context.Context) error {
	watched, done := context.WithCancel(ctx)
	defer done()
	go t.progress(watched, func(s CrowdStats) string {
		return fmt.Sprintf("%s connected, %s beats, %s pings answered", grouped(s.Open), grouped(s.Beats), grouped(s.Pings))
	})
	start := time.Now()
	if err := each(ctx, t.crowds, t.opt.parallel, func(ctx context.Context, _ int, p *part) error {
		return p.order(ctx, "Open", None{}, new(None))
	}); err != nil {
		return err
	}
	t.connected = time.Now()
	t.Connect.Seconds = t.connected.Sub(start).Seconds()
	done()
	c, err := t.crowd(ctx)
	if err != nil {
		return err
	}
	t.then = c
	h, err := t.hubs(ctx)
	if err != nil {
		return err
	}
	t.Connect.Retries, t.Connect.Rooms = c.Tries, h.Rooms
	var p problems
	t.checkHeld(&p, c, h)
	p.check(h.Users == t.plan.Conns, "%d users, not %d", h.Users, t.plan.Conns)
	if t.Memory.After, err = t.memory(); err != nil {
		return err
	}
	t.logf("all connected in %.1f s: %s", t.Connect.Seconds, t.Memory.After)
	return p.err()
}

// checkHeld sees whether everybody is there and nobody ever was cut, except by the end of the node that was killed.
func (t *trial) checkHeld(p *problems, c CrowdStats, h NodeStats) {
	p.check(c.Open == t.plan.Conns, "%d connections are open, not %d", c.Open, t.plan.Conns)
	p.check(c.Joined == 2*t.plan.Conns, "%d memberships, not %d", c.Joined, 2*t.plan.Conns)
	killed := t.Kill.Lost > 0 && len(c.Lost) == 1 && c.Lost[1006] == t.Kill.Lost
	p.check(len(c.Lost) == 0 || killed, "lost, by close code: %v, where %d were on a node that was killed", c.Lost, t.Kill.Lost)
	p.check(h.Conns == t.plan.Conns, "the hubs count %d connections", h.Conns)
	p.check(h.Expired == t.tries.Expired && maps.Equal(h.Closed, t.tries.Closed), "the hubs cut %d and closed %v, where tries had ended in %d and %v",
		h.Expired, h.Closed, t.tries.Expired, t.tries.Closed)
	t.checkClean(p, c, h)
}

func (t *trial) checkClean(p *problems, c CrowdStats, h NodeStats) {
	p.check(!c.any(), "%+v: %s", c.Faults, c.Fault)
	p.check(h.Dropped == 0 && h.Gaps == 0, "the hubs dropped %d and had %d gaps", h.Dropped, h.Gaps)
}

// fanOut publishes one message that everybody gets.
func (t *trial) fanOut(when string) func(context.Context) error {
	return func(ctx context.Context) error { return t.publishToAll(ctx, when) }
}

func (t *trial) publishToAll(ctx context.Context, when string) error {
	if err := t.discardLatencies(ctx); err != nil {
		return err
	}
	t.common++
	if err := t.nodes[0].order(ctx, "Publish", t.opt.size, new(None)); err != nil {
		return err
	}
	want := int64(t.common) * int64(t.plan.Conns)
	got, err := t.await(ctx, want, func(s CrowdStats) int64 { return s.Common })
	if err != nil {
		return err
	}
	common, _, _, err := t.latencies(ctx)
	if err != nil {
		return err
	}
	f := Fanout{When: when, Received: int64(t.plan.Conns) - (want - got), Latency: quantiles(common)}
	t.Fanouts = append(t.Fanouts, f)
	t.logf("one message received by %s within %.2f s, half of them in %.2f s", grouped(f.Received), f.Latency.Max/1000, f.Latency.P50/1000)
	return t.checkPlaces(ctx)
}

// checkPlaces sees whether every connection has had what there was, once.
func (t *trial) checkPlaces(ctx context.Context) error {
	var p problems
	unlike := make([]int, len(t.crowds))
	err := each(ctx, t.crowds, 0, func(ctx context.Context, i int, c *part) error {
		return c.order(ctx, "Unlike", Where{Common: t.common, Tops: t.tops}, &unlike[i])
	})
	if err != nil {
		return err
	}
	sum := 0
	for _, n := range unlike {
		sum += n
	}
	c, err := t.crowd(ctx)
	if err != nil {
		return err
	}
	p.check(sum == 0, "%d connections have not had everything exactly once", sum)
	p.check(!c.any(), "%+v: %s", c.Faults, c.Fault)
	return p.err()
}

// both is what the load processes and the hubs say now.
func (t *trial) both(ctx context.Context) (c CrowdStats, h NodeStats, err error) {
	if c, err = t.crowd(ctx); err == nil {
		h, err = t.hubs(ctx)
	}
	return c, h, err
}

// await polls until the load processes have counted up to want, or for 20 s no further, and returns the count.
func (t *trial) await(ctx context.Context, want int64, count func(CrowdStats) int64) (int64, error) {
	last, at := int64(-1), time.Now()
	for {
		s, err := t.crowd(ctx)
		if err != nil {
			return last, err
		}
		n := count(s)
		if n != last {
			last, at = n, time.Now()
		}
		if n >= want || time.Since(at) > 20*time.Second {
			return n, nil
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return n, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// progress tells every few seconds how far it is.
func (t *trial) progress(ctx context.Context, line func(CrowdStats) string) {
	for pause(ctx, 5*time.Second) == nil {
		if s, err := t.crowd(ctx); err == nil {
			t.logf("%s", line(s))
		}
	}
}

// publishing is messages on their way to small rooms.
type publishing struct {
	trial *trial
	pace  Pace
	nodes []*part
	paced []Paced
	done  chan error
}

// publish has nodes publish to the small rooms for a while, and returns at once.
func (t *trial) publish(ctx context.Context, nodes []*part, d time.Duration) *publishing {
	rate := t.opt.deliveries * float64(t.plan.Rooms) / float64(t.plan.Conns) // messages a second
	n := max(1, int(rate*d.Seconds()))
	p := &publishing{trial: t, nodes: nodes, paced: make([]Paced, len(nodes)), done: make(chan error, 1)}
	p.pace = Pace{
		Rooms: t.plan.Rooms, Begin: t.messages, End: t.messages + n, Shares: len(nodes),
		Rate: rate, Start: time.Now().Add(200 * time.Millisecond), Size: t.opt.size,
	}
	t.messages += n
	go func() {
		p.done <- each(ctx, nodes, 0, func(ctx context.Context, i int, node *part) error {
			pace := p.pace
			pace.Share = i
			return node.order(ctx, "Pace", pace, &p.paced[i])
		})
	}()
	return p
}

// finish waits for the publishers and then for the messages. had is how many had been received before.
func (p *publishing) finish(ctx context.Context, had int64) (s Stream, err error) {
	t := p.trial
	if err := <-p.done; err != nil {
		return s, err
	}
	for i := p.pace.Begin; i < p.pace.End; i++ {
		s.Expected += int64(t.members[roomOf(i, t.plan.Rooms)])
	}
	for _, one := range p.paced {
		s.Published += one.Published
		s.LateMs = max(s.LateMs, float64(one.Late.Microseconds())/1000)
		for k, top := range one.Tops {
			t.tops[k] = max(t.tops[k], top)
		}
	}
	s.Seconds = time.Since(p.pace.Start).Seconds()
	got, err := t.await(ctx, had+s.Expected, func(c CrowdStats) int64 { return c.Small })
	if err != nil {
		return s, err
	}
	s.Received = got - had
	_, small, returns, err := t.latencies(ctx)
	if err != nil {
		return s, err
	}
	s.Latency, s.Return = quantiles(small), quantiles(returns)
	var pr problems
	pr.check(s.Published == p.pace.End-p.pace.Begin, "%d messages published, not %d", s.Published, p.pace.End-p.pace.Begin)
	pr.check(s.Received == s.Expected, "%d deliveries, not %d", s.Received, s.Expected)
	return s, errors.Join(pr.err(), t.checkPlaces(ctx))
}

// smallRooms publishes to all of the small rooms in turn, from all nodes.
func (t *trial) smallRooms(ctx context.Context) error {
	if err := t.discardLatencies(ctx); err != nil {
		return err
	}
	c, err := t.crowd(ctx)
	if err != nil {
		return err
	}
	t.Small, err = t.publish(ctx, t.nodes, t.opt.pace).finish(ctx, c.Small)
	t.logf("small rooms: %s of %s deliveries, p50 %.1f ms, p99 %.1f ms", grouped(t.Small.Received), grouped(t.Small.Expected),
		t.Small.Latency.P50, t.Small.Latency.P99)
	return err
}

// nodeKilled kills a hub while the others publish, and sees its clients come back with nothing lost.
func (t *trial) nodeKilled(ctx context.Context) error {
	if err := t.discardLatencies(ctx); err != nil {
		return err
	}
	before, err := t.crowd(ctx)
	if err != nil {
		return err
	}
	victim := t.nodes[len(t.nodes)-1]
	var had NodeStats
	if err := victim.order(ctx, "Stats", None{}, &had); err != nil {
		return err
	}
	t.nodes = t.nodes[:len(t.nodes)-1]
	stream := t.publish(ctx, t.nodes, t.opt.pace/2)
	if err := pause(ctx, t.opt.pace/12); err != nil {
		return err
	}
	t.killedCPU = spent(victim.cmd.Process.Pid)
	killed := time.Now()
	victim.kill()
	t.logf("killed %s with %s connections", victim.name, grouped(had.Conns))
	lost := int64(before.Back + had.Conns)
	back, err := t.await(ctx, lost, func(s CrowdStats) int64 { return int64(s.Back) })
	if err != nil {
		return err
	}
	t.Kill.Seconds = time.Since(killed).Seconds()
	t.Kill.Lost, t.Kill.Back = had.Conns, int(back)-before.Back
	if t.Kill.Stream, err = stream.finish(ctx, before.Small); err != nil {
		return err
	}
	t.logf("%s are back, half of them within %.2f s, the last after %.2f s; %s of %s deliveries meanwhile", grouped(t.Kill.Back),
		t.Kill.Stream.Return.P50/1000, t.Kill.Stream.Return.Max/1000, grouped(t.Kill.Stream.Received), grouped(t.Kill.Stream.Expected))
	c, err := t.crowd(ctx)
	if err != nil {
		return err
	}
	t.Kill.Tries = c.Tries - before.Tries
	h, err := t.hubs(ctx)
	if err != nil {
		return err
	}
	t.Kill.Replayed = h.Replayed
	t.tries = h // what the hubs have closed so far were tries to come back: no client was lost but by the kill
	var p problems
	p.check(t.Kill.Back == had.Conns, "%d of %d came back", t.Kill.Back, had.Conns)
	p.check(c.Open == t.plan.Conns, "%d connections are open, not %d", c.Open, t.plan.Conns)
	p.check(c.Joined == 2*t.plan.Conns, "%d memberships, not %d", c.Joined, 2*t.plan.Conns)
	p.check(c.Lost[1006] == had.Conns && len(c.Lost) == 1, "lost, by close code: %v, where %d were on the node", c.Lost, had.Conns)
	t.checkClean(&p, c, h)
	return p.err()
}

// end looks once more at everything.
func (t *trial) end(ctx context.Context) error {
	c, h, err := t.both(ctx)
	if err != nil {
		return err
	}
	t.Stale, t.Again = c.Stale, c.Again
	var p problems
	p.check(c.Open == t.plan.Conns && h.Conns == t.plan.Conns, "%d connections are open, the hubs count %d", c.Open, h.Conns)
	p.check(h.Expired == t.tries.Expired, "%d cut", h.Expired-t.tries.Expired)
	t.checkClean(&p, c, h)
	return p.err()
}
