package report

import (
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
)

// Judge holds the result against the thresholds and sets the Outcome.
func (r *Result) Judge(t plan.Thresholds) {
	r.Thresholds = []Threshold{}
	amount := func(flag string, limit *plan.Amount, n, all int64) {
		if limit == nil {
			return
		}
		value := Grouped(n)
		if limit.Percent {
			value = fmt.Sprintf("%s (%.4g %%)", Grouped(n), 100*float64(n)/float64(max(all, 1)))
		}
		r.Thresholds = append(r.Thresholds, Threshold{flag, limit.String(), value, limit.Holds(n, all)})
	}
	quantile := func(flag string, limit *time.Duration, q Quantiles) {
		if limit == nil {
			return
		}
		th := Threshold{Flag: flag, Limit: limit.String(), Value: Millis(q.P99)}
		if th.Held = q.P99 <= float64(*limit)/1e6; q.Count == 0 {
			th.Value, th.Held = "nothing was measured", false
		}
		r.Thresholds = append(r.Thresholds, th)
	}
	c, p, d := r.Connections, r.Publishes, r.Deliveries
	amount("max-failed", t.Failed, c.Unready, c.Asked)
	amount("max-closed", t.Closed, c.Closed, c.Asked)
	amount("max-loss", t.Loss, d.Lost, d.Expected)
	amount("max-errors", t.Errors, p.Refused+p.Unanswered+p.Skipped, p.Sent+p.Skipped)
	amount("max-late", t.Late, d.Repeated+d.OutOfOrder, d.Received+d.Repeated)
	quantile("max-connect-p99", t.ConnectP99, c.Connect)
	quantile("max-delivery-p99", t.DeliveryP99, d.Latency)
	quantile("max-ping-p99", t.PingP99, r.Pings.Trip)

	r.Outcome = Held
	for _, th := range r.Thresholds {
		if !th.Held {
			r.Outcome = NotHeld
		}
	}
	if r.Fault != "" {
		r.Outcome = Broken
	}
}
