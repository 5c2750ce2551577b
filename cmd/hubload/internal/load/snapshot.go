package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Longest is the top of all histograms, whose unit is the microsecond.
const Longest = time.Minute

// NewHistogram has three significant digits.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, Longest.Microseconds(), 3)
}

// record counts what took longer than a minute as a minute.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d, time.Microsecond), Longest).Microseconds())
}

// Counters are sums over the test, but for the first four, which are of now.
type Counters struct {
	Open       int64 `json:"open"`       // ready connections
	Connecting int64 `json:"connecting"` // from dial to ready
	Waiting    int64 `json:"waiting"`    // to come back
	Unready    int64 `json:"unready"`    // never ready so far

	Attempts    int64 `json:"attempts"`
	Reconnected int64 `json:"reconnected"`
	Failed      int64 `json:"failed"` // attempts
	Closed      int64 `json:"closed"` // after they were ready, not by this tool

	Sent     int64 `json:"sent"`
	Accepted int64 `json:"accepted"`
	Refused  int64 `json:"refused"`
	Skipped  int64 `json:"skipped"` // the publisher was not connected
	Expected int64 `json:"expected"`
	Received int64 `json:"received"`
	Repeated int64 `json:"repeated"`
	Late     int64 `json:"late"`    // out of order
	Foreign  int64 `json:"foreign"` // messages of others

	Pings   int64 `json:"pings"`
	Pongs   int64 `json:"pongs"`
	Gaps    int64 `json:"gaps"`
	GoAways int64 `json:"goaways"`
	Stale   int64 `json:"stale"`
}

// Add adds another process or shard.
func (c *Counters) Add(o Counters) {
	c.Open += o.Open
	c.Connecting += o.Connecting
	c.Waiting += o.Waiting
	c.Unready += o.Unready
	c.Attempts += o.Attempts
	c.Reconnected += o.Reconnected
	c.Failed += o.Failed
	c.Closed += o.Closed
	c.Sent += o.Sent
	c.Accepted += o.Accepted
	c.Refused += o.Refused
	c.Skipped += o.Skipped
	c.Expected += o.Expected
	c.Received += o.Received
	c.Repeated += o.Repeated
	c.Late += o.Late
	c.Foreign += o.Foreign
	c.Pings += o.Pings
	c.Pongs += o.Pongs
	c.Gaps += o.Gaps
	c.GoAways += o.GoAways
	c.Stale += o.Stale
}

// Reasons counts by what the server or the system said.
type Reasons map[string]int64

const maxReasons = 40

// Count counts one more; beyond 40 reasons all are one.
func (r Reasons) Count(reason string) { r.add(reason, 1) }

func (r Reasons) add(reason string, n int64) {
	if _, known := r[reason]; !known && len(r) >= maxReasons {
		reason = "other"
	}
	r[reason] += n
}

// Add adds others.
func (r Reasons) Add(o Reasons) {
	for reason, n := range o {
		r.add(reason, n)
	}
}

// Histograms are what was measured, in microseconds.
type Histograms struct {
	Connect  *hdrhistogram.Histogram // from dial to ready
	Delivery *hdrhistogram.Histogram // from sending to receiving
	Ping     *hdrhistogram.Histogram // round trips
	Lag      *hdrhistogram.Histogram // how far sending was behind its schedule
}

// NewHistograms are empty.
func NewHistograms() Histograms {
	return Histograms{NewHistogram(), NewHistogram(), NewHistogram(), NewHistogram()}
}

func (h Histograms) all() [4]*hdrhistogram.Histogram {
	return [4]*hdrhistogram.Histogram{h.Connect, h.Delivery, h.Ping, h.Lag}
}

// Merge adds others, exactly: all have the same buckets.
func (h Histograms) Merge(o Histograms) {
	for i, from := range o.all() {
		h.all()[i].Merge(from)
	}
}

// Reset empties them.
func (h Histograms) Reset() {
	for _, one := range h.all() {
		one.Reset()
	}
}

// Packed are histograms as text, empty ones as none.
type Packed [4]string

// Pack writes them in HdrHistogram's compressed format, which loses nothing.
func (h Histograms) Pack() (p Packed, err error) {
	for i, one := range h.all() {
		if one.TotalCount() == 0 {
			continue
		}
		b, err := one.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			return p, fmt.Errorf("histogram: %w", err)
		}
		p[i] = string(b)
	}
	return p, nil
}

// Unpack reads what Pack wrote.
func (p Packed) Unpack() (Histograms, error) {
	h := NewHistograms()
	for i, text := range p {
		if text == "" {
			continue
		}
		one, err := hdrhistogram.Decode([]byte(text))
		if err != nil {
			return h, fmt.Errorf("histogram: %w", err)
		}
		if dropped := h.all()[i].Merge(one); dropped > 0 {
			return h, fmt.Errorf("histogram: %d values out of range", dropped)
		}
	}
	return h, nil
}

// A Snapshot is what a process reports: counters since the start, reasons and histograms since the last one.
type Snapshot struct {
	Time     int64 `json:"time"` // nanoseconds of the Unix clock
	Counters `json:"counters"`
	Failures Reasons `json:"failures,omitempty"`
	Closes   Reasons `json:"closes,omitempty"`
	Errors   Reasons `json:"errors,omitempty"`
	Packed   Packed  `json:"histograms"`

	FDs     int64   `json:"fds"`
	FDLimit int64   `json:"fd_limit"` // 0: none, or unknown
	CPU     float64 `json:"cpu"`      // seconds
	RSS     int64   `json:"rss"`      // bytes; 0: unknown

	// Settled: nobody is connecting, nor will without being told.
	Settled bool `json:"settled,omitempty"`
	// Members is sent once, when the measurement starts: how many connections each room has here.
	Members []int64 `json:"members,omitempty"`
	// Published is sent when publishing is over: how many messages of each room were sent and not refused.
	Published []int64 `json:"published,omitempty"`
	// Done is the last one.
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}

// An Order is what a process is told: first a Plan, later what to do.
type Order struct {
	Plan *Assignment `json:"plan,omitempty"`
	Do   string      `json:"do,omitempty"`
	At   int64       `json:"at,omitempty"` // of Measure: when, in nanoseconds of the Unix clock
}

// What an Order says to do.
const (
	Connect = "connect"
	Measure = "measure"
	Stop    = "stop"   // publishing
	Finish  = "finish" // hang up, report, end
)
