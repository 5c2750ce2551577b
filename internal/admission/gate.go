package admission

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// pace stands in for the rate in the queue where none is set.
const pace = 1000

// Gate decides who may connect. A nil Gate admits everybody.
type Gate struct {
	conf  Config
	start time.Time

	mu         sync.Mutex
	last       time.Duration // the latest time seen
	tokens     bucket
	soft       bucket
	queue      queue
	promised   promises
	origins    map[uint64]*origin
	anyone     origin
	conns      int
	handshakes int

	admitted, resumed uint64
	softened          uint64
	refused           [reasons]uint64
}

// New makes a gate. The error is that of Config.Validate.
func New(c Config) (*Gate, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.TrustedProxies = slices.Clone(c.TrustedProxies)
	rate := c.Rate
	if rate == 0 {
		rate = pace
	}
	g := &Gate{
		conf:    c,
		start:   c.Now(),
		tokens:  newBucket(c.Rate, c.Burst),
		soft:    newBucket(float64(c.Soft), c.Soft),
		queue:   queue{each: 1 / (share * rate)},
		origins: make(map[uint64]*origin),
	}
	g.anyone.gate = g
	return g, nil
}

// Arrive admits a request for a connection or refuses it; then the Refusal is not nil and the ticket zero.
// resuming says that the client had a connection before and comes back to it.
func (g *Gate) Arrive(r *http.Request, resuming bool) (Ticket, *Refusal) {
	if g == nil {
		return Ticket{}, nil
	}
	var key uint64
	var known bool
	if g.conf.MaxPerIP > 0 {
		key, known = originKey(g.Addr(r))
	}
	browser := r.Header.Get("Origin") != ""

	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.advance()
	from := &g.anyone
	if known {
		from = g.origins[key]
	}
	if why := g.judge(now, from, resuming); why != 0 {
		return Ticket{}, g.refuse(now, why, resuming, browser)
	}
	g.admitted++
	if resuming {
		g.resumed++
		// Where no promise is due, this client had none.
		if early, _ := g.queue.waiting(); g.promised.len() > early {
			g.promised.redeem()
		}
	}
	if g.conf.MaxConns == 0 && g.conf.MaxPerIP == 0 && g.conf.MaxHandshakes == 0 {
		return Ticket{}, nil // there is nothing to count
	}
	if from == nil {
		from = &origin{gate: g, key: key}
		g.origins[key] = from
	}
	from.conns++
	g.conns++
	g.handshakes++
	return Ticket{origin: from}, nil
}

// judge returns zero where a request may pass, and takes a token for it; that comes last, so that what is refused costs
// none. from is nil for an address that has no connection.
func (g *Gate) judge(now time.Duration, from *origin, resuming bool) Reason {
	switch {
	case from != nil && from != &g.anyone && from.conns >= g.conf.MaxPerIP:
		return Crowded
	case g.conf.MaxConns > 0 && g.conns >= g.conf.MaxConns:
		return Full
	case g.conf.MaxHandshakes > 0 && g.handshakes >= g.conf.MaxHandshakes:
		return Busy
	case g.conf.Rate == 0:
		return 0
	}
	reserve := 0
	if !resuming {
		reserve = min(g.promised.len(), g.conf.Burst-1)
	}
	if !g.tokens.take(now, float64(reserve)) {
		return Fast
	}
	return 0
}

// advance brings everything that time changes up to now.
func (g *Gate) advance() time.Duration {
	g.last = max(g.last, g.conf.Now().Sub(g.start))
	g.queue.advance(g.last)
	g.promised.advance(g.last)
	return g.last
}

// Stats are counts of a Gate, all of the same moment.
type Stats struct {
	// Conns, Handshakes and Addresses are those of now: connections, those of them whose handshake is
	// under way, and client addresses that have any. They are zero where the bounds ask for no count.
	Conns, Handshakes, Addresses int
	// WaitingResuming and WaitingNew count the places promised whose time has not come.
	WaitingResuming, WaitingNew int
	// Owed is how many promises to resuming clients were not redeemed yet and have not expired.
	Owed int
	// Admitted counts all that were, Resumed those of them that resumed.
	Admitted, Resumed uint64
	// Crowded, Full, Busy and Fast count refusals by their Reason, Soft those of them that were soft.
	Crowded, Full, Busy, Fast, Soft uint64
}

// Stats returns the counts.
func (g *Gate) Stats() Stats {
	if g == nil {
		return Stats{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance()
	resuming, newcomers := g.queue.waiting()
	return Stats{
		Conns:           g.conns,
		Handshakes:      g.handshakes,
		Addresses:       len(g.origins),
		WaitingResuming: resuming,
		WaitingNew:      newcomers,
		Owed:            g.promised.len(),
		Admitted:        g.admitted,
		Resumed:         g.resumed,
		Crowded:         g.refused[Crowded],
		Full:            g.refused[Full],
		Busy:            g.refused[Busy],
		Fast:            g.refused[Fast],
		Soft:            g.softened,
	}
}
