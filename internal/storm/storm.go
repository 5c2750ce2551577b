package storm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/protocol"
)

// Plan is how clients come back.
type Plan int

const (
	// Hinted: the server closed every connection with the spread that admission.Spread gives; then as Crashed.
	Hinted Plan = iota
	// Crashed: nothing was said. The backoff's first delay, and after that what refusals say.
	Crashed
	// Naive: a try every second, whatever is said.
	Naive
)

func (p Plan) String() string {
	switch p {
	case Hinted:
		return "hinted"
	case Crashed:
		return "crashed"
	case Naive:
		return "naive"
	}
	return fmt.Sprintf("Plan(%d)", int(p))
}

// naiveDelay is how long a naive client waits.
const naiveDelay = time.Second

// Storm is a simulation.
type Storm struct {
	Plan Plan
	// Clients were connected when it began and resume. So many new ones come beside them, at times drawn evenly from
	// Clients/Rate.
	Clients, Newcomers int
	// Rate, in connections a second, and Burst are those of the gate.
	Rate  float64
	Burst int
	// Browsers makes all of them browsers, which read close frames but no refused handshakes, and Soft is the gate's
	// budget for those, a second.
	Browsers bool
	Soft     int
	// Attackers are addresses that each send AttackRate handshakes a second and come with a valid ticket, whatever they are
	// told, until the run ends.
	Attackers  int
	AttackRate float64
	// Latency bounds the way of a handshake or its answer, which takes U(0, Latency).
	Latency time.Duration
	Seed    uint64
	// Limit is when the run is given up, on its own clock.
	Limit time.Duration
}

// Result is what became of a storm. Times are since its begin.
type Result struct {
	// Arrivals are all handshakes, Admitted those of them that were admitted, in order.
	Arrivals, Admitted []time.Duration
	// Resumed and New tell of each client when it was admitted, in order of admission.
	Resumed, New []time.Duration
	// Attacks are those of the attackers that were admitted.
	Attacks []time.Duration
	// MaxTries is how many handshakes the unluckiest client sent.
	MaxTries int
}

// ErrLimit is returned by Run where clients were left at the limit.
var ErrLimit = errors.New("storm: not everybody was admitted in time")

// Run runs the simulation. The error is that of the gate's configuration, or matches ErrLimit, and then the result is what
// happened until the limit.
func (s Storm) Run() (Result, error) {
	r := run{Storm: s, rnd: rand.New(rand.NewPCG(s.Seed, 0))}
	begin := time.Unix(0, 0)
	var err error
	r.gate, err = admission.New(admission.Config{
		Rate:  s.Rate,
		Burst: s.Burst,
		Soft:  s.Soft,
		Now:   func() time.Time { return begin.Add(r.now) },
	})
	if err != nil {
		return Result{}, err
	}
	policy, err := backoff.New(backoff.WithSeed(s.Seed))
	if err != nil {
		return Result{}, err
	}
	r.request = http.Request{RemoteAddr: "192.0.2.1:1", Header: make(http.Header)}
	if s.Browsers {
		r.request.Header.Set("Origin", "https://example.com")
	}
	r.clients = make([]visitor, s.Clients+s.Newcomers)
	for i := range s.Attackers {
		r.events.push(time.Duration(r.rnd.Int64N(int64(time.Second))), len(r.clients)+i)
	}
	spread := admission.Spread(s.Clients, s.Rate)
	for i := range r.clients {
		c := &r.clients[i]
		c.seq = policy.Start()
		c.resumes = i < s.Clients
		switch {
		case !c.resumes:
			window := time.Duration(float64(s.Clients) / s.Rate * float64(time.Second))
			r.send(i, time.Duration(r.rnd.Int64N(int64(window)+1)))
		case s.Plan == Naive:
			r.send(i, naiveDelay)
		default:
			if s.Plan == Hinted {
				c.hint(closeHint(0, spread))
			}
			r.send(i, c.seq.Next())
		}
	}
	return r.loop()
}

// run is the state of a Storm that runs.
type run struct {
	Storm
	gate    *admission.Gate
	request http.Request
	rnd     *rand.Rand
	clients []visitor
	events  agenda
	now     time.Duration
	result  Result
}

// visitor is a client.
type visitor struct {
	seq     *backoff.Sequence
	tries   int
	resumes bool
}

// hint takes a hint as package client does: nothing at all is no hint.
func (c *visitor) hint(after, spread time.Duration) {
	if after > 0 || spread > 0 {
		c.seq.Hint(after, spread)
	}
}

func (r *run) loop() (Result, error) {
	for left := len(r.clients); left > 0; {
		var i int
		r.now, i = r.events.pop()
		if r.now > r.Limit {
			return r.result, fmt.Errorf("%w: %d of %d left", ErrLimit, left, len(r.clients))
		}
		if i >= len(r.clients) {
			r.attack(i)
		} else if r.arrive(i) {
			left--
		}
	}
	return r.result, nil
}

// arrive has a handshake of client i reach the server, and reports whether it is admitted.
func (r *run) arrive(i int) bool {
	c, res := &r.clients[i], &r.result
	c.tries++
	res.MaxTries = max(res.MaxTries, c.tries)
	res.Arrivals = append(res.Arrivals, r.now)
	if r.Attackers > 0 { // the others have addresses of their own then
		r.request.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&0xff, i&0xff)
	}
	_, refused := r.gate.Arrive(&r.request, c.resumes)
	if refused == nil {
		res.Admitted = append(res.Admitted, r.now)
		if c.resumes {
			res.Resumed = append(res.Resumed, r.now)
		} else {
			res.New = append(res.New, r.now)
		}
		return true
	}
	answer := r.way()
	if r.Plan == Naive {
		r.send(i, answer+naiveDelay)
		return false
	}
	if refused.Soft {
		c.hint(closeHint(refused.RetryAfter, refused.Spread))
	} else if !r.Browsers {
		c.hint(headerHint(refused.RetryAfter))
	}
	r.send(i, answer+c.seq.Next())
	return false
}

// attack has a handshake of an attacker reach the server, and plans its next one.
func (r *run) attack(i int) {
	r.request.RemoteAddr = fmt.Sprintf("198.51.100.%d:1", i-len(r.clients))
	if _, refused := r.gate.Arrive(&r.request, true); refused == nil {
		r.result.Attacks = append(r.result.Attacks, r.now)
	}
	r.events.push(r.now+time.Duration(float64(time.Second)/r.AttackRate), i)
}

// send has client i send a handshake after d.
func (r *run) send(i int, d time.Duration) { r.events.push(r.now+d+r.way(), i) }

func (r *run) way() time.Duration { return time.Duration(r.rnd.Int64N(int64(r.Latency) + 1)) }

// closeHint is what a client reads in a close frame.
func closeHint(after, spread time.Duration) (time.Duration, time.Duration) {
	h, _ := protocol.ParseHint(string(protocol.AppendHint(nil, protocol.Hint{RetryAfter: after, Spread: spread})))
	return h.RetryAfter, h.Spread
}

// headerHint is what a client makes of a Retry-After header, which is in whole seconds.
func headerHint(after time.Duration) (time.Duration, time.Duration) {
	seconds := (after + time.Second - 1) / time.Second
	e := &client.HandshakeError{StatusCode: http.StatusServiceUnavailable, After: seconds * time.Second}
	return e.RetryAfter()
}
