package admission

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestOrigins compares the slots with a plain count by address, while addresses come and go at random.
func TestOrigins(t *testing.T) {
	const keys = 3 * chunkSlots
	rnd := rand.New(rand.NewPCG(1, 1))
	o := newOrigins()
	want := make(map[uint64]uint32)
	var conns []uint64 // the address of each connection
	most := 0
	for step := range 40_000 {
		// Busy and quiet times take turns, so that memory is released now and then.
		arrivals := 70
		if step/5000%2 == 1 {
			arrivals = 20
		}
		if len(conns) == 0 || rnd.IntN(100) < arrivals {
			key := rnd.Uint64N(keys)
			slot := o.slots[key]
			if slot == noSlot {
				slot = o.add(key)
			}
			o.enter(slot)
			want[key]++
			conns = append(conns, key)
		} else {
			i, last := rnd.IntN(len(conns)), len(conns)-1
			key := conns[i]
			conns[i] = conns[last]
			conns = conns[:last]
			o.leave(o.slots[key])
			if want[key]--; want[key] == 0 {
				delete(want, key)
			}
			if len(want) == 0 {
				most = 0
				if len(o.chunks) > 1 {
					t.Fatalf("step %d: empty, there are %d chunks", step, len(o.chunks))
				}
			}
		}
		if most = max(most, len(want)); len(o.chunks) > 1+(firstSlot+most-1)/chunkSlots {
			t.Fatalf("step %d: %d chunks for at most %d addresses", step, len(o.chunks), most)
		}
		if step%100 > 0 {
			continue
		}
		if len(o.slots) != len(want) {
			t.Fatalf("step %d: %d addresses, want %d", step, len(o.slots), len(want))
		}
		holders := make(map[uint32]uint64)
		for key, n := range want {
			slot := o.slots[key]
			if slot < firstSlot || *o.at(slot) != (origin{key: key, conns: n}) {
				t.Fatalf("step %d: address %d is in slot %d, want %d connections", step, key, slot, n)
			}
			if other, taken := holders[slot]; taken {
				t.Fatalf("step %d: addresses %d and %d share slot %d", step, key, other, slot)
			}
			holders[slot] = key
		}
	}
}

// TestSlotsAreUsedAgain: a slot goes to another address, and a ticket of the earlier one cannot act on it.
func TestSlotsAreUsedAgain(t *testing.T) {
	r := newRig(t, Config{MaxPerIP: 1, MaxHandshakes: 1})
	first := r.admit("192.0.2.1:1", false)
	first.Established(r.Gate)
	first.Done(r.Gate)
	second := r.admit("192.0.2.2:1", false)
	if first.slot != second.slot {
		t.Fatalf("the second address has slot %d, and %d is free", second.slot, first.slot)
	}
	for _, established := range []bool{false, true} {
		want := Stats{Conns: 1, Addresses: 1, Admitted: 2, PerAddress: r.Stats().PerAddress, Handshaking: 1}
		if established {
			second.Established(r.Gate)
			want.Handshaking = 0
		}
		first.Done(r.Gate)
		first.Established(r.Gate)
		if why := first.Verify(r.Gate); why != nil {
			t.Errorf("a ticket that is done was refused: %v", why)
		}
		if !first.Renew(r.Gate) {
			t.Error("a ticket that is done was not renewed")
		}
		if got := r.Stats(); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
		_ = r.refuse("192.0.2.2:2", false, PerAddress)
	}
	third := r.admit("192.0.2.1:1", false)
	if third.slot == second.slot {
		t.Errorf("two addresses have slot %d", third.slot)
	}
	second.Done(r.Gate)
	third.Done(r.Gate)
	if got := r.Stats(); got.Conns != 0 || got.Handshaking != 0 || got.Addresses != 0 {
		t.Errorf("left behind: %+v", got)
	}
}

// TestFloodIsForgotten: the memory of many addresses is used again while one of them stays, and released when none does.
func TestFloodIsForgotten(t *testing.T) {
	const addresses = 10 * chunkSlots
	r := newRig(t, Config{MaxPerIP: 1})
	flood := func() []Ticket {
		tickets := make([]Ticket, addresses)
		for i := range tickets {
			tickets[i] = r.admit(fmt.Sprintf("10.0.%d.%d:1", i>>8, i&0xff), false)
		}
		return tickets
	}
	leave := func(tickets []Ticket) {
		for i := range tickets {
			tickets[i].Done(r.Gate)
		}
	}
	stay := r.admit("192.0.2.1:1", false)
	first := flood()
	leave(first)
	chunks := len(r.origins.chunks)
	second := flood()
	if got := len(r.origins.chunks); got != chunks {
		t.Errorf("%d chunks for the second flood, and %d for the first", got, chunks)
	}
	stay.Done(r.Gate)
	leave(second)
	if len(r.origins.chunks) > 0 || len(r.origins.slots) > 0 {
		t.Errorf("empty, there are %d chunks and %d addresses", len(r.origins.chunks), len(r.origins.slots))
	}
	leave(first) // they are done, and their slots are gone
	last := r.admit("192.0.2.1:1", false)
	leave(second)
	if got := r.Stats(); got.Conns != 1 || got.Addresses != 1 {
		t.Errorf("stats %+v, want one connection", got)
	}
	last.Done(r.Gate)
}
