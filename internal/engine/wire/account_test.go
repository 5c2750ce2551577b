package wire

import (
	"bufio"
	"errors"
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

// TestAccounts ends connections in every way at random moments while several send, and counts: every plain message of a
// room is delivered or dropped, once.
func TestAccounts(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		for seed := range uint64(40) {
			account(t, seed, connect)
		}
	})
}

func account(t *testing.T, seed uint64, connect func(testing.TB) (conn, peer net.Conn)) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	conf := Config{MaxMessages: 100, MaxBytes: 100 << 10, Timeout: time.Hour}
	var held atomic.Int64
	conf.Held = func(n int) {
		if sum := held.Add(int64(n)); sum < 0 {
			t.Errorf("seed %d: %d bytes are held", seed, sum)
		}
	}
	r := newRig(t, conf, connect)
	const senders, each = 3, 300
	var total, direct, sends atomic.Int64
	var wg sync.WaitGroup
	for s := range uint64(senders) {
		rnd := rand.New(rand.NewPCG(seed, 2+s))
		wg.Go(func() {
			for range each {
				sends.Add(1)
				if rnd.IntN(4) == 0 {
					_ = r.SendOne(oneFrame("not counted"))
					continue
				}
				b := frame.NewBatch(0, &r.source, 0)
				for range 1 + rnd.IntN(5) {
					p, class := strings.Repeat("x", rnd.IntN(400)), frame.Plain
					if rnd.IntN(4) == 0 {
						p, class = "not counted", frame.Event+frame.Class(rnd.IntN(2)) // or a notice
					}
					b.Add(frame.Message{Opcode: frame.Text, Class: class}, func(dst []byte, _ frame.Form) []byte { return append(dst, p...) })
				}
				from := rnd.IntN(b.Len())
				plain, _ := b.Count(from, b.Len())
				total.Add(int64(plain))
				sent, _, _ := r.Send(b, from)
				direct.Add(int64(sent))
			}
		})
	}
	// The reader reads for a while, slowly enough to have some of it queued, and then as the end wants it.
	var received int64
	wg.Go(func() {
		br := bufio.NewReaderSize(r.peer, 16)
		for {
			opcode, p, err := readFrame(br)
			if err != nil {
				return
			}
			if opcode == frame.Text && p != "not counted" {
				received++
			}
		}
	})
	moment := rnd.Int64N(senders * each)
	await(func() bool { return sends.Load() > moment })
	end := rnd.IntN(4)
	switch end {
	case 0:
		r.Close()
	case 1:
		_ = r.peer.Close()
	case 2:
		r.Finish(frame.AppendClose(nil, 1000, ""))
		if err := r.Drained(t.Context()); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		r.Close()
	case 3:
		// An overflow, or none.
	}
	for sends.Load() < senders*each {
		time.Sleep(10 * time.Microsecond)
	}
	if end == 3 {
		if err := r.Drained(t.Context()); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	r.Close()
	wg.Wait()
	r.flushers.Wait()
	delivered := direct.Load() + r.counters.Delivered.Load()
	dropped := r.counters.Dropped.Load()
	what := fmt.Sprintf("seed %d, end %d: %d sent, %d delivered, %d dropped, %d received",
		seed, end, total.Load(), delivered, dropped, received)
	if delivered+dropped != total.Load() {
		t.Error(what)
	}
	// What the peer has got may have been counted as dropped, never the other way round, unless the peer left.
	if end != 1 && dropped > 0 && received > total.Load() || end != 1 && len(r.failed) == 0 && received < delivered {
		t.Error(what)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%s: %d bytes are held", what, n)
	}
	if len(r.failed) > 1 {
		t.Errorf("%s: the owner was told %d times", what, len(r.failed))
	}
}
