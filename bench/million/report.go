package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/gohubkit/hubkit/bench/internal/machine"
)

// Report is what a trial has shown. Durations are seconds, latencies milliseconds, sizes bytes.
type Report struct {
	// Failed says what was not shown; empty where all was.
	Failed  string          `json:"failed,omitempty"`
	Machine machine.Machine `json:"machine"`
	Plan    plan            `json:"plan"`
	Options settings        `json:"options"`
	// GC is what of Go's settings the processes were given.
	GC []string `json:"runtime"`
	// Kernel is what of the kernel's settings what a packet costs depends on.
	Kernel []string `json:"kernel"`

	Connect struct {
		Seconds float64 `json:"seconds"`
		// Retries after tries that failed, and Rooms that the hubs hold, each counted on every hub where it is.
		Retries int `json:"retries"`
		Rooms   int `json:"rooms"`
	} `json:"connect"`
	Fanouts []Fanout `json:"fanouts"`
	Small   Stream   `json:"small_rooms"`
	Beats   Beats    `json:"heartbeats"`
	// Asked is the time in which the hubs pinged everybody.
	Asked Beats `json:"hubs_ping_all"`
	Kill  Kill  `json:"node_killed"`
	// Again is how many joins a hub could not take for now, so that the client asked again.
	Again int64 `json:"joins_again"`
	// Stale is how often a client was told that its hub has lost Redis.
	Stale int64 `json:"stale"`

	Memory struct {
		Before Memory `json:"before"`
		After  Memory `json:"after_connecting"`
		Held   Memory `json:"held"`
	} `json:"memory"`
	// Hubs are added up after the heartbeats.
	Hubs NodeStats `json:"hubs"`
	Acts []Act     `json:"acts"`
}

type settings struct {
	Deliveries float64 `json:"deliveries_per_second"`
	Pace       float64 `json:"seconds"`
	Interval   float64 `json:"heartbeat_interval"`
	Timeout    float64 `json:"heartbeat_timeout"`
	Tick       float64 `json:"heartbeat_tick"`
	Beat       float64 `json:"clients_beat_every"`
	Size       int     `json:"message_bytes"`
	Stream     bool    `json:"event_streams,omitempty"`
}

// Act is what a part of the trial took.
type Act struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	CPU     CPU     `json:"cpu_s"`
}

// Quantiles are of latencies.
type Quantiles struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func quantiles(h *hdrhistogram.Histogram) Quantiles {
	ms := func(v int64) float64 { return float64(v) / 1000 }
	return Quantiles{ms(h.ValueAtQuantile(50)), ms(h.ValueAtQuantile(99)), ms(h.Max())}
}

// Fanout is one message to everybody.
type Fanout struct {
	// When says what else was going on; empty for the first.
	When     string    `json:"when,omitempty"`
	Received int64     `json:"received"`
	Latency  Quantiles `json:"latency"`
}

// Stream is messages to small rooms.
type Stream struct {
	Published int     `json:"published"`
	Seconds   float64 `json:"seconds"`
	Expected  int64   `json:"expected"`
	Received  int64   `json:"received"`
	// LateMs is how far behind its time the latest of the publishers ended.
	LateMs  float64   `json:"late_ms"`
	Latency Quantiles `json:"latency"`
	// Return is how long clients that were cut off meanwhile were without their rooms.
	Return Quantiles `json:"return"`
}

// Beats is the time that all connections were held: beats that clients sent unasked, pings of the hubs that they answered.
type Beats struct {
	Seconds float64 `json:"seconds"`
	Sent    int64   `json:"beats"`
	Pings   int64   `json:"pings"`
	Expired int64   `json:"expired"`
}

// Kill is the end of a node.
type Kill struct {
	Lost int `json:"lost"`
	Back int `json:"back"`
	// Tries to connect that took, and Seconds until the last was back, as seen by a poll.
	Tries   int     `json:"tries"`
	Seconds float64 `json:"seconds"`
	// Replayed from the history to those who came back.
	Replayed int64  `json:"replayed"`
	Stream   Stream `json:"stream"`
}

func size(bytes int64) string { return fmt.Sprintf("%.2f GB", float64(bytes)/1e9) }

func (m Memory) String() string {
	return fmt.Sprintf("hubs %s, load %s, Redis %s, slab %s, available %s", size(m.Hubs), size(m.Loads), size(m.Redis), size(m.Slab), size(m.Available))
}

// write writes the report as a page and, beside it, as JSON.
func (r *Report) write(file string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	beside := strings.TrimSuffix(file, filepath.Ext(file)) + ".json"
	if err := os.WriteFile(beside, append(data, '\n'), 0o644); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	return os.WriteFile(file, []byte(r.page(filepath.Base(beside))), 0o644) //nolint:gosec // for everybody to read
}
