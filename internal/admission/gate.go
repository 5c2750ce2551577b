package admission

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// addressShare is the share of the rate that an address has by default.
const addressShare = 0.25

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
	lines      [2]line
	shares     *shares // nil if there is no rate
	origins    origins
	conns      int
	handshakes int

	admitted, resumed int64
	beyond, verifiers int64
	softened          int64
	refused           [reasons]int64
}

// The lines in which clients wait, in their order.
const (
	// inTurn are those whose address is within its share.
	inTurn = iota
	// inBulk are those whose address is not, and all while there is but one address.
	inBulk
)

// arrival is what the gate knows of a request.
type arrival struct {
	key      uint64
	resuming bool
	browser  bool // it hears of no hint unless the refusal is soft
	line     int
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
		lines:   [2]line{newLine(rate, c.Burst), newLine(rate, c.Burst)},
		origins: newOrigins(),
	}
	if c.Rate > 0 {
		each, burst := c.AddressRate, c.AddressBurst
		if each == 0 {
			each = addressShare * rate
		}
		if burst == 0 {
			burst = max(1, int(addressShare*float64(c.Burst)))
		}
		g.shares = newShares(each, burst)
	}
	return g, nil
}

// Arrive admits a request for a connection or refuses it; then the Refusal is not nil and the ticket zero.
// resuming says that the client is known to have had a connection before, to which it comes back.
func (g *Gate) Arrive(r *http.Request, resuming bool) (Ticket, *Refusal) {
	if g == nil {
		return Ticket{}, nil
	}
	// A page reads what a fetch is answered.
	a := arrival{resuming: resuming, browser: r.Header.Get("Origin") != "" && r.Header.Get("Sec-Fetch-Mode") != "cors"}
	known := false
	if g.conf.MaxPerIP > 0 || g.shares != nil {
		a.key, known = OriginKey(g.Addr(r))
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.advance()
	from := uint32(anyone)
	if known && g.conf.MaxPerIP > 0 {
		from = g.origins.slots[a.key]
	}
	if why := g.judge(now, from, &a); why != 0 {
		return Ticket{}, g.refuse(now, why, a)
	}
	g.admitted++
	if resuming {
		g.resumed++
	}
	g.lines[a.line].admitted(resuming)
	if g.conf.MaxConns == 0 && g.conf.MaxPerIP == 0 && g.conf.MaxHandshakes == 0 {
		return Ticket{}, nil // there is nothing to count
	}
	if from == noSlot {
		from = g.origins.add(a.key)
	}
	g.origins.enter(from)
	g.conns++
	g.handshakes++
	return Ticket{slot: from, resuming: resuming, line: uint8(a.line)}, nil
}

// judge returns zero if a request may pass, and takes a token for it; that comes last, so that what is refused costs
// none. from is the slot of the address.
func (g *Gate) judge(now time.Duration, from uint32, a *arrival) Reason {
	if from >= firstSlot && int(g.origins.at(from).conns) >= g.conf.MaxPerIP {
		return PerAddress
	}
	alone := true
	if g.shares != nil {
		within := g.shares.within(now, a.key)
		if alone = g.shares.alone(now); alone || !within {
			a.line = inBulk
		}
		if !alone && !within {
			g.beyond++
		}
	}
	switch {
	case g.conf.MaxConns > 0 && g.conns >= g.conf.MaxConns:
		return AtCapacity
	case g.busy():
		return Handshakes
	case g.conf.Rate == 0:
		return 0
	}
	reserve := g.lines[a.line].reserve(a.resuming)
	if a.line == inBulk && !alone {
		first := &g.lines[inTurn]
		reserve += max(g.conf.Burst/2, first.back.len()+first.fresh.len())
	}
	if !g.tokens.take(now, float64(min(reserve, g.conf.Burst-1))) {
		return RateLimited
	}
	return 0
}

func (g *Gate) busy() bool {
	return g.conf.MaxHandshakes > 0 && g.handshakes >= g.conf.MaxHandshakes
}

// advance brings everything that time changes up to now.
func (g *Gate) advance() time.Duration {
	now := max(g.last, g.conf.Now().Sub(g.start))
	passed := (now - g.last).Seconds()
	g.last = now
	for i := range g.lines {
		l := &g.lines[i]
		passed = l.queue.advance(passed)
		l.back.advance(now)
		l.fresh.advance(now)
		l.kept.refill(now)
	}
	return now
}

// Stats are counts of a Gate, all of the same moment.
type Stats struct {
	// Conns, Handshaking and Addresses are those of now: connections, those of them whose handshake is
	// under way, and client addresses that have any. They are zero where the bounds ask for no count.
	Conns, Handshaking, Addresses int
	// WaitingResuming and WaitingNew count the places promised whose time has not come.
	WaitingResuming, WaitingNew int
	// Owed is how many promises to resuming clients were not redeemed yet and have not expired.
	Owed int
	// Admitted counts all that were, Resumed those of them that resumed.
	Admitted, Resumed int64
	// Beyond counts requests, admitted or not, that came beyond the share of their address while others came too.
	Beyond int64
	// Verifiers counts what Ticket.Verify and Ticket.Renew refused. Of these, Handshakes has those of Verify.
	Verifiers int64
	// PerAddress, AtCapacity, Handshakes and RateLimited count refusals by their Reason, Soft those of them that were soft.
	PerAddress, AtCapacity, Handshakes, RateLimited, Soft int64
}

// Stats returns the counts.
func (g *Gate) Stats() Stats {
	if g == nil {
		return Stats{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance()
	var resuming, newcomers, owed int
	for i := range g.lines {
		l := &g.lines[i]
		r, n := l.queue.waiting()
		resuming, newcomers, owed = resuming+r, newcomers+n, owed+l.back.len()
	}
	return Stats{
		Conns:           g.conns,
		Handshaking:     g.handshakes,
		Addresses:       len(g.origins.slots),
		WaitingResuming: resuming,
		WaitingNew:      newcomers,
		Owed:            owed,
		Admitted:        g.admitted,
		Resumed:         g.resumed,
		Beyond:          g.beyond,
		Verifiers:       g.verifiers,
		PerAddress:      g.refused[PerAddress],
		AtCapacity:      g.refused[AtCapacity],
		Handshakes:      g.refused[Handshakes],
		RateLimited:     g.refused[RateLimited],
		Soft:            g.softened,
	}
}
