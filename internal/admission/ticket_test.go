package admission

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// TestSizes: there may be a million tickets, and as many addresses.
func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(Ticket{}); size > 8 {
		t.Errorf("a ticket takes %d bytes", size)
	}
	if size := unsafe.Sizeof(origin{}); size > 16 {
		t.Errorf("an address takes %d bytes", size)
	}
}

func TestTicketStages(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps func(*Ticket, *Gate)
		want  Stats
	}{
		{"handshake", func(*Ticket, *Gate) {}, Stats{Conns: 1, Handshaking: 1, Addresses: 1}},
		{"established", (*Ticket).Established, Stats{Conns: 1, Addresses: 1}},
		{"established twice", func(t *Ticket, g *Gate) { t.Established(g); t.Established(g) }, Stats{Conns: 1, Addresses: 1}},
		{"failed handshake", (*Ticket).Done, Stats{}},
		{"ended", func(t *Ticket, g *Gate) { t.Established(g); t.Done(g) }, Stats{}},
		{"ended twice", func(t *Ticket, g *Gate) { t.Established(g); t.Done(g); t.Done(g) }, Stats{}},
		{"established too late", func(t *Ticket, g *Gate) { t.Done(g); t.Established(g) }, Stats{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{MaxConns: 2, MaxPerIP: 2, MaxHandshakes: 2})
			ticket := r.admit(someone, false)
			tt.steps(&ticket, r.Gate)
			tt.want.Admitted = 1
			if got := r.Stats(); got != tt.want {
				t.Errorf("stats %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Tickets that stand for nothing may be used like any other.
func TestZeroTicket(t *testing.T) {
	var nobody *Gate
	counting := newRig(t, Config{Rate: 1, Burst: 3}).Gate
	for name, g := range map[string]*Gate{"nil": nobody, "open": newRig(t, Config{}).Gate, "rate only": counting} {
		ticket, refusal := g.Arrive(request(someone), true)
		if refusal != nil || ticket != (Ticket{}) {
			t.Errorf("%s: %v, %v", name, ticket, refusal)
		}
		ticket.Established(g)
		if why := ticket.Verify(g); why != nil || !ticket.Renew(g) {
			t.Errorf("%s: refused: %v", name, why)
		}
		ticket.Done(g)
	}
	if got := nobody.Stats(); got != (Stats{}) {
		t.Errorf("stats of nobody: %+v", got)
	}
	if got := counting.Stats(); got != (Stats{Admitted: 1, Resumed: 1}) {
		t.Errorf("stats: %+v", got)
	}
}

// Nothing is allocated but the entry of an address.
func TestAllocations(t *testing.T) {
	g := newRig(t, Config{Rate: 1e6, Burst: 1e6, MaxConns: 10, MaxPerIP: 10, MaxHandshakes: 10}).Gate
	req := request(someone)
	stay, _ := g.Arrive(req, false)
	defer stay.Done(g)
	if n := testing.AllocsPerRun(1000, func() {
		ticket, _ := g.Arrive(req, false)
		ticket.Established(g)
		ticket.Done(g)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// However many come and go together, no bound is exceeded, and in the end nothing is left.
func TestBoundsHold(t *testing.T) {
	const maxConns, maxPerIP, maxHandshakes, addresses = 20, 4, 10, 8
	g, err := New(Config{MaxConns: maxConns, MaxPerIP: maxPerIP, MaxHandshakes: maxHandshakes})
	if err != nil {
		t.Fatal(err)
	}
	// These count no earlier than the gate and no later, and so never more than it does.
	var conns, handshakes atomic.Int64
	var perIP [addresses]atomic.Int64
	var refused atomic.Int64
	within := func(what string, n int64, bound int64) {
		if n > bound {
			t.Errorf("%d %s, at most %d are allowed", n, what, bound)
		}
	}
	var wg sync.WaitGroup
	for seed := range uint64(40) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 0))
			for range 500 {
				from := rnd.IntN(addresses)
				ticket, refusal := g.Arrive(request(fmt.Sprintf("192.0.2.%d:1", from)), rnd.IntN(2) == 0)
				if refusal != nil {
					refused.Add(1)
					continue
				}
				within("connections", conns.Add(1), maxConns)
				within("connections of an address", perIP[from].Add(1), maxPerIP)
				within("handshakes", handshakes.Add(1), maxHandshakes)
				handshakes.Add(-1)
				ticket.Established(g)
				conns.Add(-1)
				perIP[from].Add(-1)
				ticket.Done(g)
			}
		})
	}
	wg.Wait()
	s := g.Stats()
	if s.Conns != 0 || s.Handshaking != 0 || s.Addresses != 0 {
		t.Errorf("left behind: %+v", s)
	}
	if s.Admitted+refused.Load() != 40*500 || s.PerAddress+s.AtCapacity+s.Handshakes != refused.Load() {
		t.Errorf("%d refused, but %+v", refused.Load(), s)
	}
}
