package main

import (
	"fmt"
	"strings"
)

// page is the report in Markdown; json names the file beside it, where there is one.
func (r *Report) page(json string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	conns := float64(r.Plan.Conns)

	p("# %s connections on one machine\n\n", grouped(r.Plan.Conns))
	if r.Failed != "" {
		p("**This trial failed:** %s. What follows is what it had measured by then.\n\n", r.Failed)
	}
	written := "Written by `go run ./million` in `bench/`"
	if json != "" {
		written += fmt.Sprintf("; the figures are in [%s](%s) too", json, json)
	}
	p("%s.\n\n", written)
	p("%s\n\n", r.Machine)
	p("%d hub processes of %s connections each behind one Redis, and %d load processes, since a process may open %s files for "+
		"connections here; all of it on this machine, over loopback TCP. Every connection is a client of protocol v1 with an "+
		"identity of its own. It is in one room with everybody and in one of %s others, drawn at random, so that each of those has "+
		"members on most of the nodes and each message to it crosses to most of them: %s rooms on the average hub. Those rooms have "+
		"history. %sHeartbeats: %g s, and %g s for the answer, in ticks of %g s. %s Messages are of %d bytes. Go's settings in the hubs and the load "+
		"processes: %s. The kernel's: %s.\n\n",
		r.Plan.Nodes, grouped(r.Plan.PerNode), r.Plan.Crowds, grouped(r.Plan.Ceiling), grouped(r.Plan.Rooms),
		grouped(r.Connect.Rooms/max(1, r.Plan.Nodes)), r.Options.streams(), r.Options.Interval, r.Options.Timeout, r.Options.Tick, r.Options.beats(), r.Options.Size, strings.Join(r.GC, ", "), strings.Join(r.Kernel, ", "))
	p("All counts are made at the clients, each of which also checks that the offsets of its small room follow each other without a " +
		"hole and without a repetition. The program fails where one is not what it must be.\n\n")

	p("## What was shown\n\n| | |\n|---|---|\n")
	p("| connected at once, welcomed and in both rooms | %s in %.1f s, %s a second, %d tries repeated |\n", grouped(r.Plan.Conns),
		r.Connect.Seconds, grouped(int(conns/max(r.Connect.Seconds, 1e-3))), r.Connect.Retries)
	for _, f := range r.Fanouts {
		when := ""
		if f.When != "" {
			when = ", " + f.When
		}
		p("| one publish on one node, received%s | by %s within %.2f s (p50 %.2f s, p99 %.2f s) |\n", when, grouped(f.Received),
			f.Latency.Max/1000, f.Latency.P50/1000, f.Latency.P99/1000)
	}
	if s := r.Small; s.Expected > 0 {
		p("| small rooms, %.0f deliveries/s for %g s | %s messages, %s deliveries of %s, none lost (p50 %.1f ms, p99 %.1f ms, most %.0f ms) |\n",
			r.Options.Deliveries, r.Options.Pace, grouped(s.Published), grouped(s.Received), grouped(s.Expected), s.Latency.P50, s.Latency.P99, s.Latency.Max)
	}
	if r.Beats.Seconds > 0 {
		p("| all held for %.0f s by heartbeats | %s of the clients, unasked, and %s pings of the hubs answered; %d connections cut |\n",
			r.Beats.Seconds, grouped(r.Beats.Sent), grouped(r.Beats.Pings), r.Beats.Expired)
	}
	if r.Asked.Seconds > 0 {
		p("| all held for %.0f s by the hubs' pings, with clients that are silent otherwise | %s pings answered; %d connections cut |\n",
			r.Asked.Seconds, grouped(r.Asked.Pings), r.Asked.Expired)
	}
	if k := r.Kill; k.Lost > 0 {
		p("| one hub killed (SIGKILL) while the others publish | %s clients lost, %s back on other hubs with %s tries: half within %.2f s, "+
			"the last after %.2f s |\n", grouped(k.Lost), grouped(k.Back), grouped(k.Tries), k.Stream.Return.P50/1000, k.Stream.Return.Max/1000)
		p("| messages to the small rooms meanwhile | %s deliveries of %s, none lost, none twice; %s of them replayed from history |\n",
			grouped(k.Stream.Received), grouped(k.Stream.Expected), grouped(k.Replayed))
	}

	if r.Again > 0 {
		p("| joins that a hub could not take for now, so that the client asked again | %s |\n", grouped(r.Again))
	}
	if r.Stale > 0 {
		p("| clients were told that their hub hears nothing of Redis | %s times; see above whether they missed anything |\n", grouped(r.Stale))
	}

	p("\n## Memory\n\nBytes for each connection: what all of it has in use more than before the first connection, over %s. Processes by "+
		"their proportional set size; a connection here is two sockets, both ends being on this machine.\n\n", grouped(r.Plan.Conns))
	before, after, held := r.Memory.Before, r.Memory.After, r.Memory.Held
	if r.Beats.Seconds == 0 { // the trial did not come so far
		held = after
	}
	p("| | just connected | held for %.0f s | in all |\n|---|---:|---:|---:|\n", r.Beats.Seconds)
	row := func(name string, f func(Memory) int64) {
		p("| %s | %.0f | %.0f | %s |\n", name, float64(f(after)-f(before))/conns, float64(f(held)-f(before))/conns, size(f(held)-f(before)))
	}
	row("hubs", func(m Memory) int64 { return m.Hubs })
	row("load processes", func(m Memory) int64 { return m.Loads })
	row("Redis", func(m Memory) int64 { return m.Redis })
	row("kernel: slab, which is sockets, files and epoll entries", func(m Memory) int64 { return m.Slab })
	row("kernel: socket queues", func(m Memory) int64 { return m.Buffered })
	row("kernel: page tables", func(m Memory) int64 { return m.PageTables })
	row("everything, as the machine has less available", func(m Memory) int64 { return -m.Available })
	p("\nThe machine had %s available before, %s with all connected and %s while they were held.", size(before.Available),
		size(after.Available), size(held.Available))
	if h := r.Hubs; h.Goroutines > 0 {
		p(" The hubs have %s goroutines in all, %s of Go heap and %s of stacks in use.", grouped(h.Goroutines), size(int64(h.Heap)), size(int64(h.Stack)))
	}
	p("\n\n")

	p("## CPU\n\nSeconds of user and system time; the kernel's work for loopback is done where a process writes.\n\n")
	p("| | took, s | hubs | load | Redis | cores busy | load's share |\n|---|---:|---:|---:|---:|---:|---:|\n")
	for _, a := range r.Acts {
		p("| %s | %.1f | %.1f | %.1f | %.1f | %.2f | %.0f %% |\n", a.Name, a.Seconds, a.CPU.Hubs, a.CPU.Loads, a.CPU.Redis, a.CPU.sum()/max(a.Seconds, 1e-3),
			100*a.CPU.Loads/max(a.CPU.sum(), 1e-3))
	}
	p("\nThe load's share is the load processes' part of all CPU time of the row. If the cores are busy, it is the part of the time that the " +
		"clients took and not the hubs.\n")
	every := r.Options.Interval
	if r.Options.Beat > 0 {
		every = r.Options.Beat
	}
	p("\nHeartbeats go on in every row: about %s a second.\n", grouped(int(conns/every)))
	return b.String()
}

// streams says what the clients are, if they have no connections of protocol v1.
func (s *settings) streams() string {
	if !s.Stream {
		return ""
	}
	return "The clients read event streams (SSE), and their pings are comments that need no answer. "
}

// beats says who begins a heartbeat.
func (s *settings) beats() string {
	if s.Stream {
		return "The hubs send a comment on every stream in this time."
	}
	if s.Beat == 0 {
		return "Clients are silent until a hub pings them."
	}
	return fmt.Sprintf("Each client sends a pong every %g s, unasked, which is what RFC 6455 (5.5.3) has for a heartbeat in one "+
		"direction; a hub pings who is late.", s.Beat)
}
