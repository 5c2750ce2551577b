// Package report is what a load test found: as JSON, as a page with charts, as text.
package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
)

// Schema names the form of the JSON. Fields are added under the same name; a change of their meaning has another.
const Schema = "hubload/1"

// An Outcome is how a test ended.
type Outcome string

// The outcomes, each with its exit status.
const (
	Held    Outcome = "held"     // all thresholds, or none were given
	NotHeld Outcome = "not held" // at least one threshold
	Broken  Outcome = "broken"   // the test could not be run to its end
)

// Status is the exit status of the command.
func (o Outcome) Status() int {
	switch o {
	case Held:
		return 0
	case NotHeld:
		return 1
	default:
		return 3
	}
}

// Result is all that a test found. Times are in milliseconds where their name ends in _ms, else in seconds.
type Result struct {
	Schema      string    `json:"schema"`
	Outcome     Outcome   `json:"outcome"`
	Interrupted bool      `json:"interrupted"`
	Fault       string    `json:"fault,omitempty"`
	Warnings    []string  `json:"warnings"`
	Started     time.Time `json:"started"`
	Seconds     float64   `json:"seconds"`

	Settings    plan.Plan   `json:"settings"`
	Environment Environment `json:"environment"`

	Connections Connections `json:"connections"`
	Publishes   Publishes   `json:"publishes"`
	Deliveries  Deliveries  `json:"deliveries"`
	Pings       Pings       `json:"pings"`
	Notices     Notices     `json:"notices"`

	Thresholds []Threshold `json:"thresholds"`
	Processes  []Process   `json:"processes"`
	Timeline   []Point     `json:"timeline"`
	// ConnectDistribution and DeliveryDistribution are quantiles: percent, and milliseconds.
	ConnectDistribution  [][2]float64 `json:"connect_distribution"`
	DeliveryDistribution [][2]float64 `json:"delivery_distribution"`
}

// Environment is where the tool ran.
type Environment struct {
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	CPUs    int    `json:"cpus"`
	Go      string `json:"go"`
	Version string `json:"version"`
}

// Quantiles of a time, in milliseconds; all are zero where Count is.
type Quantiles struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

// Of reads a histogram of microseconds.
func Of(h *hdrhistogram.Histogram) Quantiles {
	if h.TotalCount() == 0 {
		return Quantiles{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Quantiles{h.TotalCount(), h.Mean() / 1000, at(50), at(90), at(99), at(99.9), float64(h.Max()) / 1000}
}

// Distribution is a histogram's quantiles, finer towards 100 %.
func Distribution(h *hdrhistogram.Histogram) [][2]float64 {
	points := [][2]float64{}
	if h.TotalCount() == 0 {
		return points
	}
	for _, b := range h.CumulativeDistributionWithTicks(10) {
		points = append(points, [2]float64{b.Quantile, float64(b.ValueAt) / 1000})
	}
	return points
}

// Connections is what became of them.
type Connections struct {
	Asked       int64        `json:"asked"`
	Peak        int64        `json:"peak"`   // ready at once
	AtEnd       int64        `json:"at_end"` // ready, before the tool hung up
	Unready     int64        `json:"never_ready"`
	Seconds     float64      `json:"connecting_seconds"`
	Attempts    int64        `json:"attempts"`
	Failed      int64        `json:"failed_attempts"`
	Closed      int64        `json:"closed"`
	Reconnected int64        `json:"reconnected"`
	Connect     Quantiles    `json:"connect"`
	Failures    load.Reasons `json:"failures"`
	Closes      load.Reasons `json:"closes"`
}

// Publishes is what became of the messages on their way to the server.
type Publishes struct {
	Sent       int64        `json:"sent"`
	Accepted   int64        `json:"accepted"`
	Refused    int64        `json:"refused"`
	Unanswered int64        `json:"unanswered"`
	Skipped    int64        `json:"skipped"` // not sent: the publisher was not connected
	PerSecond  float64      `json:"per_second"`
	Lag        Quantiles    `json:"lag"` // how far the tool was behind its own schedule
	Errors     load.Reasons `json:"errors"`
}

// Deliveries is what became of them on their way back.
type Deliveries struct {
	Expected   int64     `json:"expected"`
	Received   int64     `json:"received"`
	Lost       int64     `json:"lost"`
	Repeated   int64     `json:"repeated"`
	OutOfOrder int64     `json:"out_of_order"`
	Foreign    int64     `json:"foreign"` // messages of others: not counted
	PerSecond  float64   `json:"per_second"`
	Latency    Quantiles `json:"latency"`
}

// Pings are WebSocket pings and their pongs.
type Pings struct {
	Sent     int64     `json:"sent"`
	Answered int64     `json:"answered"`
	Trip     Quantiles `json:"round_trip"`
}

// Notices are what a hub said about the connection.
type Notices struct {
	Gaps    int64 `json:"gaps"`
	GoAways int64 `json:"goaways"`
	Stale   int64 `json:"stale"`
}

// A Threshold is one that was asked for.
type Threshold struct {
	Flag  string `json:"flag"`
	Limit string `json:"limit"`
	Value string `json:"value"`
	Held  bool   `json:"held"`
}

// Process is one of those that carried out the test.
type Process struct {
	Conns   int     `json:"conns"`
	FDs     int64   `json:"fds"` // at their highest
	FDLimit int64   `json:"fd_limit"`
	CPU     float64 `json:"cpu_seconds"`
	RSS     int64   `json:"rss_bytes"`
	Fault   string  `json:"fault,omitempty"`
}

// Point is the state at a moment, and what was measured since the one before.
type Point struct {
	T         float64   `json:"t"`
	Phase     string    `json:"phase"`
	Open      int64     `json:"open"`
	Failed    int64     `json:"failed"` // so far
	Closed    int64     `json:"closed"` // so far
	Connects  float64   `json:"connects_per_second"`
	Published float64   `json:"published_per_second"`
	Delivered float64   `json:"delivered_per_second"`
	Connect   Quantiles `json:"connect"`
	Delivery  Quantiles `json:"delivery"`
	Ping      Quantiles `json:"ping"`
	FDs       int64     `json:"fds"` // of all processes
	CPU       float64   `json:"cpu"` // cores in use by the tool
}

// WriteJSON writes the result.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
