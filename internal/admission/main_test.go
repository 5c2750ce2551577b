package admission

import (
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a gate with a clock of its own.
type rig struct {
	*Gate
	t   testing.TB
	now time.Time
}

func newRig(t testing.TB, c Config) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Unix(0, 0)}
	c.Now = func() time.Time { return r.now }
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.Gate = g
	return r
}

func (r *rig) pass(d time.Duration) { r.now = r.now.Add(d) }

// arrive sends a request from an address.
func (r *rig) arrive(addr string, resuming bool) (Ticket, *Refusal) {
	return r.Arrive(request(addr), resuming)
}

// admit fails unless a request is admitted.
func (r *rig) admit(addr string, resuming bool) Ticket {
	r.t.Helper()
	ticket, refusal := r.arrive(addr, resuming)
	if refusal != nil {
		r.t.Fatalf("%s was refused: %v", addr, refusal)
	}
	return ticket
}

// refuse fails unless a request is refused for a reason.
func (r *rig) refuse(addr string, resuming bool, why Reason) *Refusal {
	r.t.Helper()
	ticket, refusal := r.arrive(addr, resuming)
	if refusal == nil || refusal.Reason != why || ticket != (Ticket{}) {
		r.t.Fatalf("%s got %v, %v; want a refusal: %v", addr, ticket, refusal, why)
	}
	return refusal
}

func request(addr string) *http.Request { return &http.Request{RemoteAddr: addr} }

func browser(addr string) *http.Request {
	return &http.Request{RemoteAddr: addr, Header: http.Header{"Origin": {"https://example.com"}}}
}

const someone = "192.0.2.1:1000"

// near fails unless two times are within a microsecond, which is more than rounding makes.
func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if (got - want).Abs() > time.Microsecond {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
