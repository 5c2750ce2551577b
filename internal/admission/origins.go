package admission

// origins holds the client addresses that have connections. Each has a slot from its first connection to the end of its
// last. Its tickets name it by the slot's number, which takes half of a pointer.
type origins struct {
	slots  map[uint64]uint32 // by OriginKey
	chunks []*[chunkSlots]origin
	free   uint32 // the slot that was freed last, or noSlot
}

// origin is a client address that has connections, or a free slot.
type origin struct {
	key   uint64
	conns uint32
	next  uint32 // if the slot is free: the one that was freed before it, or noSlot
}

const (
	// noSlot is the slot of the zero Ticket, and of an address that has no connection.
	noSlot = iota
	// anyone is the slot of all connections if addresses are not told apart. Nothing is counted in it.
	anyone
	// firstSlot is the first of an address.
	firstSlot
)

// chunkSlots is how many slots are allocated at once. Slots do not move, so no call copies many.
const chunkSlots = 256

func newOrigins() origins { return origins{slots: make(map[uint64]uint32)} }

// add gives a slot to an address that has none.
func (o *origins) add(key uint64) (slot uint32) {
	if slot = o.free; slot != noSlot {
		o.free = o.at(slot).next
	} else if slot = firstSlot + uint32(len(o.slots)); slot/chunkSlots == uint32(len(o.chunks)) { // all slots are in use
		o.chunks = append(o.chunks, new([chunkSlots]origin))
	}
	*o.at(slot) = origin{key: key}
	o.slots[key] = slot
	return slot
}

// at returns the origin in a slot of an address.
func (o *origins) at(slot uint32) *origin { return &o.chunks[slot/chunkSlots][slot%chunkSlots] }

// enter counts one connection more.
func (o *origins) enter(slot uint32) {
	if slot != anyone {
		o.at(slot).conns++
	}
}

// leave counts one connection less. When no address is left, the memory of many is released.
func (o *origins) leave(slot uint32) {
	if slot == anyone {
		return
	}
	from := o.at(slot)
	from.conns--
	if from.conns > 0 {
		return
	}
	delete(o.slots, from.key)
	from.next, o.free = o.free, slot
	if len(o.slots) == 0 && len(o.chunks) > 1 {
		*o = newOrigins()
	}
}
