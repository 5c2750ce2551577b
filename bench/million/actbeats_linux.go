package main

import (
	"context"
	"time"
)

// heartbeats holds all connections for three intervals since all were there, and on until there have been three heartbeats
// for each: on a machine that is at its limit ticks come late, and as much later do pings and deadlines.
func (t *trial) heartbeats(ctx context.Context) error {
	until := t.connected.Add(3*t.opt.interval + t.opt.timeout)
	if err := pause(ctx, time.Until(until)); err != nil {
		return err
	}
	want := t.then.Beats + t.then.Pings + 3*int64(t.plan.Conns)
	if _, err := t.await(ctx, want, func(s CrowdStats) int64 { return s.Beats + s.Pings }); err != nil {
		return err
	}
	c, h, err := t.both(ctx)
	if err != nil {
		return err
	}
	b := &t.Beats
	b.Seconds, b.Sent, b.Pings, b.Expired = time.Since(t.connected).Seconds(), c.Beats-t.then.Beats, c.Pings-t.then.Pings, h.Expired
	if t.Memory.Held, err = t.memory(); err != nil {
		return err
	}
	t.Hubs = h
	var p problems
	t.checkHeld(&p, c, h)
	p.check(b.Sent+b.Pings >= 3*int64(t.plan.Conns), "only %d beats and %d pings for %d connections", b.Sent, b.Pings, t.plan.Conns)
	t.logf("held for %.0f s: %s beats, %s pings answered, %d cut; %s", b.Seconds, grouped(b.Sent), grouped(b.Pings), h.Expired, t.Memory.Held)
	return p.err()
}

// asked silences the clients, so that the hubs have to ping all of them, and holds the connections for three heartbeats of each.
func (t *trial) asked(ctx context.Context) error {
	if err := each(ctx, t.crowds, 0, func(ctx context.Context, _ int, p *part) error {
		return p.order(ctx, "Silence", None{}, new(None))
	}); err != nil {
		return err
	}
	before, err := t.crowd(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := pause(ctx, 3*t.opt.interval); err != nil {
		return err
	}
	want := before.Pings + 3*int64(t.plan.Conns)
	pings, err := t.await(ctx, want, func(s CrowdStats) int64 { return s.Pings })
	if err != nil {
		return err
	}
	c, h, err := t.both(ctx)
	if err != nil {
		return err
	}
	b := &t.Report.Asked
	b.Seconds, b.Sent, b.Pings, b.Expired = time.Since(start).Seconds(), c.Beats-before.Beats, pings-before.Pings, h.Expired
	var p problems
	t.checkHeld(&p, c, h)
	p.check(pings >= want, "only %d pings for %d connections", b.Pings, t.plan.Conns)
	t.logf("held by pings for %.0f s: %s answered, %d cut", b.Seconds, grouped(b.Pings), h.Expired)
	return p.err()
}
