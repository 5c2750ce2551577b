package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

const (
	// tick is how often top looks, unless -interval says otherwise.
	tick = 2 * time.Second
	// topRows is how many rooms and connections top shows, of all nodes together.
	topRows = 10

	// home begins a screen anew: the cursor to its corner, and what was there away.
	home = "\x1b[H\x1b[J"
)

// view is what top shows.
type view struct {
	Time  time.Time      `json:"time"`
	Nodes nodePage       `json:"nodes"`
	Rooms []hub.RoomInfo `json:"rooms"`
	Slow  []hub.ConnInfo `json:"slow"`
}

// top shows nodes, the largest rooms and the slowest consumers, again and again.
func top(ctx context.Context, t *tool, args []string) error {
	flags := newFlags("top", t.err)
	interval := flags.Duration("interval", tick, "how often to look, at least 500ms")
	most := flags.Int("count", 0, "end after so many `looks`; the default is never")
	if err := t.parse(flags, args, 0); err != nil {
		return err
	}
	if *interval < 500*time.Millisecond {
		return t.misuse("top: -interval must be at least 500ms")
	}
	ticker := time.NewTicker(*interval)
	defer ticker.Stop()
	var last *view
	for n := 1; ; n++ {
		v, err := t.look(ctx)
		if err == nil {
			err = t.show(v, last)
			last = v
		} else if last != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintln(t.err, "hubctl:", err) // a service that is deployed comes back
			err = nil
		}
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C
		case err != nil:
			return err
		case n == *most:
			return t.silent(last.Nodes.Silent)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look asks for what top shows.
func (t *tool) look(ctx context.Context) (*view, error) {
	ctx, cancel := t.within(ctx)
	defer cancel()
	v := &view{Time: time.Now()}
	if err := t.api.get(ctx, "nodes", nil, &v.Nodes); err != nil {
		return nil, err
	}
	limit := fmt.Sprint(topRows)
	var rooms hubPage[hub.RoomInfo]
	if err := t.api.get(ctx, "rooms", url.Values{"largest": {"1"}, "limit": {limit}}, &rooms); err != nil {
		return nil, err
	}
	var slow hubPage[hub.ConnInfo]
	if err := t.api.get(ctx, "conns", url.Values{"slowest": {"1"}, "limit": {limit}}, &slow); err != nil {
		return nil, err
	}
	v.Rooms, v.Slow = rooms.Rooms[:min(topRows, len(rooms.Rooms))], slow.Conns[:min(topRows, len(slow.Conns))]
	return v, nil
}

// show prints a view. Rates are those since the last one.
func (t *tool) show(v, last *view) error {
	if t.json {
		return json.NewEncoder(t.out).Encode(v)
	}
	var b bytes.Buffer // written at once, so that the screen does not flicker
	b.WriteString(home)
	if err := v.write(&b, last); err != nil {
		return err
	}
	_, err := t.out.Write(b.Bytes())
	return err
}

func (v *view) write(w io.Writer, last *view) error {
	before := make(map[string]node)
	seconds := 0.0
	if last != nil {
		seconds = v.Time.Sub(last.Time).Seconds()
		for _, n := range last.Nodes.Nodes {
			before[n.Node] = n
		}
	}
	out := newTable(w, "NODE", "UP", "STATE", "CONNS", "ROOMS", "RECEIVED/s", "DELIVERED/s", "DROPPED/s")
	for _, n := range v.Nodes.Nodes {
		rate := func(name string) string {
			b, ok := before[n.Node]
			if !ok || seconds <= 0 || !b.Since.Equal(n.Since) { // or it has started anew
				return ""
			}
			return count(int64(float64(n.counter(name)-b.counter(name)) / seconds))
		}
		out.row(n.Node, age(v.Time.Sub(n.Since)), stateOf(n.NodeInfo), count(int64(n.Conns)), count(int64(n.Rooms)),
			rate("messages_in"), rate("delivered"), rate("dropped"))
	}
	if err := out.end(); err != nil {
		return err
	}
	if names := v.Nodes.Silent; len(names) > 0 {
		_, _ = fmt.Fprintf(w, "no answer from %s\n", printable(fmt.Sprint(names)))
	}
	_, _ = fmt.Fprintln(w)
	out = newTable(w, "LARGEST ROOMS", "NODE", "MEMBERS", "RULE")
	for _, r := range v.Rooms {
		out.row(r.Name, r.Node, count(int64(r.Members)), r.Rule)
	}
	if err := out.end(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	out = newTable(w, "SLOWEST CONSUMERS", "NODE", "USER", "ADDRESS", "BACKLOG", "DROPPED")
	for _, c := range v.Slow {
		out.row(c.ID, c.Node, c.User, c.Addr, backlogOf(c), count(c.Dropped+c.Conflated))
	}
	return out.end()
}

// counter is one of a node's counters; zero if it has none of that name.
func (n node) counter(name string) (v int64) {
	_ = json.Unmarshal(n.Stats[name], &v)
	return v
}
