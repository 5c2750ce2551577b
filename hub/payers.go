package hub

import (
	"context"
	"hash/maphash"
	"maps"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/internal/core/rate"
)

// posting is what requests of Post share.
type posting struct {
	ctx    context.Context //nolint:containedctx // the end of all requests under way
	cut    context.CancelFunc
	seed   maphash.Seed
	payers payers

	once sync.Once
	gate *admission.Gate
	err  error
}

func (p *posting) init() {
	p.ctx, p.cut = context.WithCancel(context.Background())
	p.seed = maphash.MakeSeed()
}

// gateOf returns the gate for requests. It has the same bounds as the gate for connections, and counts apart.
func (p *posting) gateOf(h *Hub) (*admission.Gate, error) {
	p.once.Do(func() { p.gate, p.err = h.conf.newGate() })
	return p.gate, p.err
}

// payers has the rate limits of requests that belong to no connection, by user or address. A payer whose buckets are
// full is removed: a new one may send as much.
type payers struct {
	mu    sync.Mutex
	all   map[string]*payer
	sweep int           // at how many payers to look for those that can be removed
	swept time.Duration // when that was last done, on the hub's clock
}

type payer struct{ messages, bytes rate.Bucket }

const (
	// maxPayers bounds the memory for anonymous clients. Beyond it a payer is removed although it owes something.
	maxPayers = 1 << 16
	// minSweep is the least number of payers at which to look for those that can be removed.
	minSweep = 1 << 10
)

// take charges a payer for messages and bytes. If that exceeds a limit, it charges nothing and returns how long to
// wait.
func (ps *payers) take(h *Hub, name string, messages, bytes int) (wait time.Duration, ok bool) {
	conf, now := &h.conf, h.now()
	limits := messages > 0 && conf.messages.Enabled() || bytes > 0 && conf.bytes.Enabled()
	if !limits {
		return 0, true
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.find(name, now)
	if l := conf.messages; messages > 0 && l.Enabled() {
		if wait, ok = p.messages.Try(now, messages, l); !ok {
			return wait, false
		}
	}
	if l := conf.bytes; bytes > 0 && l.Enabled() {
		if wait, ok = p.bytes.Try(now, bytes, l); !ok {
			return wait, false
		}
	}
	return 0, true
}

// find is called with mu held.
func (ps *payers) find(name string, now time.Duration) *payer {
	if p := ps.all[name]; p != nil {
		return p
	}
	if ps.all == nil {
		ps.all, ps.sweep = make(map[string]*payer), minSweep
	}
	if n := len(ps.all); n >= ps.sweep && (n < maxPayers || now-ps.swept >= time.Second) {
		maps.DeleteFunc(ps.all, func(_ string, p *payer) bool { return p.messages.Full(now) && p.bytes.Full(now) })
		ps.sweep, ps.swept = min(max(2*len(ps.all), minSweep), maxPayers), now
	}
	if len(ps.all) >= maxPayers {
		for name := range ps.all { // any of them
			delete(ps.all, name)
			break
		}
	}
	p := new(payer)
	ps.all[name] = p
	return p
}
