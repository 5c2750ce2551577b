package main

import (
	"slices"
	"strconv"
	"strings"
)

// test is one run of the load client, at its full size.
type test struct {
	name, kind      string
	title           string
	conns, rooms, n int
	rate            float64
	publishers      int
	history         bool
	// typical is how many seconds one run takes, if that is not known from other runs.
	typical float64
}

var tests = []test{
	{name: "idle", kind: "idle", title: "Idle connections", conns: 15000, typical: 12},
	{name: "fanout", kind: "fanout", title: "One room, full rate", conns: 1000, n: 1500, typical: 9},
	{name: "fanout10k", kind: "fanout", title: "One large room, full rate", conns: 10000, n: 100, typical: 12},
	{name: "paced", kind: "paced", title: "One room, 10 messages/s", conns: 5000, n: 60, rate: 10, typical: 10},
	{name: "rooms", kind: "rooms", title: "500 rooms of ten, full rate", conns: 5000, rooms: 500, n: 60000, typical: 8},
	{name: "nodes", kind: "nodes", title: "Node to node, full rate", conns: 1000, rooms: 1000, n: 200000, publishers: 64, typical: 6},
	{name: "nodes-paced", kind: "nodes", title: "Node to node, 5,000 messages/s", conns: 1000, rooms: 1000, n: 20000, rate: 5000, publishers: 64, typical: 7},
	{name: "nodes-history", kind: "nodes", title: "Node to node with history, full rate", conns: 1000, rooms: 1000, n: 60000, publishers: 64, history: true, typical: 7},
	{name: "nodes-history-paced", kind: "nodes", title: "Node to node with history, 5,000 messages/s", conns: 1000, rooms: 1000, n: 20000, rate: 5000, publishers: 64, history: true, typical: 7},
	{name: "echo", kind: "echo", title: "Echoes", conns: 1000, n: 200000, typical: 7},
	{name: "storm", kind: "storm", title: "Connection storm", conns: 10000, typical: 4},
	{name: "churn", kind: "churn", title: "Connections that come and go", conns: 256, n: 20000, typical: 4.5},
}

func chooseTests(list string, o *options) ([]test, error) {
	chosen := tests
	if list != "" {
		var err error
		if chosen, err = choose(list, tests, func(t test) string { return t.name }); err != nil {
			return nil, err
		}
	}
	out := make([]test, len(chosen))
	for i, t := range chosen {
		if o.conns > 0 && t.kind != "churn" {
			t.conns = o.conns
		}
		if o.n > 0 && t.n > 0 {
			t.n = o.n
		}
		t.n = int(float64(t.n) * o.scale)
		if t.rooms > 0 {
			// Every room has the same number of members and messages.
			t.rooms = min(t.rooms, t.conns)
			t.conns -= t.conns % t.rooms
			t.n = max(t.n-t.n%t.rooms, t.rooms)
		}
		out[i] = t
	}
	return out, nil
}

// serverArgs gives the queues room for a whole burst at full rate: dropping is not what is measured.
func (t test) serverArgs() []string {
	switch t.kind {
	case "fanout":
		return []string{"-queue", strconv.Itoa(t.n + 1)}
	case "rooms", "nodes":
		args := []string{"-queue", strconv.Itoa(t.n/t.rooms + 1)}
		if t.history {
			args = append(args, "-history")
		}
		return args
	}
	return nil
}

// suits reports whether a peer can do what the test needs.
func (t test) suits(p peer) bool {
	return (t.kind != "nodes" || p.redis) && (!t.history || p.history) && (len(p.only) == 0 || slices.Contains(p.only, t.name))
}

func (t test) loadArgs(o *options) []string {
	args := []string{
		"-test", t.kind, "-conns", strconv.Itoa(t.conns), "-n", strconv.Itoa(t.n),
		"-size", strconv.Itoa(o.size), "-rooms", strconv.Itoa(t.rooms),
		"-rate", strconv.FormatFloat(t.rate, 'f', -1, 64), "-settle", o.settle.String(),
	}
	switch t.kind {
	case "nodes":
		args = append(args, "-publishers", strconv.Itoa(t.publishers))
		if t.rate == 0 {
			args = append(args, "-sample", "16")
		}
	case "fanout", "rooms":
		args = append(args, "-sample", "16")
	case "idle":
		// Longer than servers keep a connection warm.
		args = append(args, "-settle", max(o.settle, 3e9).String())
	case "storm", "churn":
		args = append(args, "-loops", "2")
	}
	return args
}

// describe is the title with the sizes in use.
func (t test) describe(o *options) string {
	var b strings.Builder
	b.WriteString(t.title)
	b.WriteString(": ")
	if t.kind != "churn" {
		b.WriteString(strconv.Itoa(t.conns) + " connections")
	} else {
		b.WriteString(strconv.Itoa(t.n) + " connections")
	}
	switch t.kind {
	case "fanout", "paced", "rooms", "nodes":
		b.WriteString(", " + strconv.Itoa(t.n) + " messages of " + strconv.Itoa(o.size) + " bytes")
	case "echo":
		b.WriteString(", " + strconv.Itoa(t.n) + " echoes of " + strconv.Itoa(o.size) + " bytes")
	}
	return b.String()
}
