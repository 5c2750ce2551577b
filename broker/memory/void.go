package memory

import (
	"math/rand/v2"
	"strconv"
	"sync"
)

// voids are the epochs of rooms that have no history: what their readers are told, and what a room's first message
// begins. So a room that nobody published to keeps nothing. Rooms share a few of them. When a room's history is
// forgotten, its void epoch changes: no room has two histories of the same epoch, and who read the room before the
// forgotten messages is told of a gap.
type voids struct {
	mu     sync.Mutex
	epochs [voidCount]string
}

// voidCount is how many void epochs there are. The more, the fewer readers of other rooms see theirs change.
const voidCount = 64

func newEpoch() string { return strconv.FormatUint(rand.Uint64(), 32) }

func (v *voids) init() {
	for i := range v.epochs {
		v.epochs[i] = newEpoch()
	}
}

func (v *voids) of(room string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.epochs[voidSlot(room)]
}

func (v *voids) renew(room string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.epochs[voidSlot(room)] = newEpoch()
}

// voidSlot is FNV-1a, since snapshots need a hash that stays the same.
func voidSlot(room string) int {
	h := uint32(2166136261)
	for i := range len(room) {
		h = (h ^ uint32(room[i])) * 16777619
	}
	return int(h % voidCount)
}

// voidEpoch is the epoch of a locked room without history. As long as the room is subscribed it stays the same.
func (b *Broker) voidEpoch(r *room) string {
	if r.void != "" {
		return r.void
	}
	return b.voids.of(r.name)
}
