package wire

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// publisher is a room with one member, and its history.
type publisher struct {
	name string
	src  *frame.Source

	mu     sync.Mutex // one pass at a time, and none during Resume
	stored []string
	direct atomic.Int64
}

// publish sends messages n+1 to n+k.
func (p *publisher) publish(r *rig, rnd *rand.Rand, k int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := frame.NewBatch(0, p.src, 0)
	for range k {
		n := len(p.stored) + 1
		key := string(rune('a' + rnd.IntN(5)))
		p.stored = append(p.stored, fmt.Sprintf("%s %d %s %s", p.name, n, key, strings.Repeat("x", rnd.IntN(300))))
		b.Add(frame.Message{Opcode: frame.Text, Seq: uint64(2 * n), Key: key}, func(dst []byte, _ frame.Form) []byte {
			return append(dst, p.stored[n-1]...)
		})
	}
	sent, _, _ := r.Send(b, 0)
	p.direct.Add(int64(sent))
}

// readOn is what the owner does when the Writer has fallen behind.
func (p *publisher) readOn(t *testing.T, r *rig) {
	read, ok := r.Behind(p.src)
	for at := int(read / 2); ok; {
		if err := r.AwaitPages(t.Context(), p.src); err != nil {
			return
		}
		p.mu.Lock()
		page := p.stored[at:min(at+7, len(p.stored))]
		if len(page) == 0 {
			r.Resume(p.src, uint64(2*at))
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		b := frame.NewBatch(0, p.src, 0)
		for i, m := range page {
			b.Add(frame.Message{Opcode: frame.Text, Seq: uint64(2 * (at + i + 1))}, func(dst []byte, _ frame.Form) []byte { return append(dst, m...) })
		}
		if r.Page(t.Context(), p.src, b) != nil {
			return
		}
		at += len(page)
	}
}

// TestAccountsOfPolicies has a room of each policy publish to one slow reader, ends the connection in several ways, and
// counts: every message is delivered, dropped or conflated, once, and what arrives is what the policy says.
func TestAccountsOfPolicies(t *testing.T) {
	d, err := frame.NewDeflater(1)
	if err != nil {
		t.Fatal(err)
	}
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		for seed := range uint64(24) {
			accountOfPolicies(t, seed, d, connect)
		}
	})
}

func accountOfPolicies(t *testing.T, seed uint64, d *frame.Deflater, connect func(testing.TB) (conn, peer net.Conn)) {
	const each = 400
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := newRig(t, Config{MaxMessages: 60, MaxBytes: 16 << 10, Timeout: time.Hour, Deflater: d, DeflateMin: 1 << 20}, connect)
	if seed%2 == 0 {
		r.Deflate() // in form only, so that what arrives is legible
	}
	rooms := make(sources)
	var all []*publisher
	for _, name := range []string{"oldest", "newest", "conflate", "replay", "replay2"} {
		all = append(all, &publisher{name: name, src: rooms.get(name)})
	}
	readers := make(chan struct{})
	go func() {
		defer close(readers)
		var wg sync.WaitGroup
		for src := range r.behind {
			for _, p := range all {
				if p.src == src {
					wg.Go(func() { p.readOn(t, r) })
				}
			}
		}
		wg.Wait()
	}()
	got := make(map[string][]string)
	received := make(chan struct{})
	var slow atomic.Bool
	slow.Store(true)
	go func() {
		defer close(received)
		br := bufio.NewReaderSize(r.peer, 16)
		for n := 0; ; n++ {
			_, p, err := readFrame(br)
			if err != nil {
				return
			}
			if room, _, ok := strings.Cut(p, " "); ok {
				got[room] = append(got[room], p)
			}
			if slow.Load() && n%16 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	var senders sync.WaitGroup
	for i, p := range all {
		rnd := rand.New(rand.NewPCG(seed, uint64(2+i)))
		senders.Go(func() {
			for n := 0; n < each; {
				k := min(1+rnd.IntN(5), each-n)
				p.publish(r, rnd, k)
				n += k
				if rnd.IntN(3) == 0 {
					time.Sleep(time.Duration(rnd.IntN(100)) * time.Microsecond)
				}
			}
		})
	}
	senders.Go(func() {
		for range each / 20 {
			_ = r.SendOne(oneFrame("ping"))
		}
	})
	cut := seed%3 == 1
	if cut {
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
		r.Close()
	}
	senders.Wait()
	slow.Store(false)
	if !cut {
		await(func() bool { return r.Stats().Replaying == 0 || len(r.failed) > 0 })
		if err := r.Drained(t.Context()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	r.Close()
	r.flushers.Wait()
	close(r.behind)
	<-readers
	<-received
	r.notFailed(t)
	for _, p := range all {
		a := p.src.Account
		delivered := p.direct.Load() + a.Delivered.Load()
		what := fmt.Sprintf("seed %d, %s: %d published, %d delivered, %d dropped, %d conflated, %d replayed; %d received", seed, p.name,
			each, delivered, a.Dropped.Load(), a.Conflated.Load(), a.Replayed.Load(), len(got[p.name]))
		if delivered+a.Dropped.Load()+a.Conflated.Load() != each || len(got[p.name]) > int(delivered) && !cut || len(got[p.name]) < int(delivered) {
			t.Error(what)
		}
		last := 0
		for _, m := range got[p.name] {
			n := number(m)
			if n <= last {
				t.Fatalf("%s: %.20q after %d", what, m, last)
			}
			if p.src.Overflow == frame.Replay && n != last+1 {
				t.Fatalf("%s: %d after %d", what, n, last)
			}
			last = n
		}
		if !cut && p.src.Overflow == frame.Replay && last != each {
			t.Error(what)
		}
		if !cut && p.src.Overflow == frame.Conflate {
			latest := make(map[string]string)
			for _, m := range got[p.name] {
				latest[strings.Fields(m)[2]] = m
			}
			for _, m := range p.stored {
				if got := latest[strings.Fields(m)[2]]; number(got) < number(m) {
					t.Errorf("%s: %.20q is the last that came, %.20q the last that was sent", what, got, m)
				}
			}
		}
	}
}

// number of a message.
func number(m string) (n int) {
	var name string
	_, _ = fmt.Sscan(m, &name, &n)
	return n
}
