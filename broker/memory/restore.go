package memory

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// ErrSnapshot matches every error of Restore about the data that it reads.
var ErrSnapshot = errors.New("memory: bad snapshot")

// ErrRestored is returned by a second Restore.
var ErrRestored = errors.New("memory: already restored")

// Restore reads a snapshot to the end of the stream. Call it before Start, at most once. The time since the snapshot
// counts as age, by the wall clock. If the stream is damaged, cut short or of an unknown version, the error
// matches ErrSnapshot and the broker is unchanged. After Start it returns ErrStarted. A second Restore returns
// ErrRestored.
func (b *Broker) Restore(from io.Reader) error {
	if from == nil {
		return fmt.Errorf("memory: %w: restore from a nil reader", broker.ErrInvalid)
	}
	rooms, voids, err := b.readSnapshot(from)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	b.life.Lock()
	defer b.life.Unlock()
	switch {
	case b.state.Load() == closed:
		return broker.ErrClosed
	case b.state.Load() == started:
		return ErrStarted
	case b.restored:
		return ErrRestored
	}
	b.restored = true
	b.voids.epochs = voids
	now := b.now()
	for _, r := range rooms {
		r.mu.Lock()
		b.shard(r.name).add(r)
		if r.history != nil {
			b.used.Add(r.history.bytes)
		}
		if r.keys != nil {
			b.countKeys(r, 0)
		}
		b.expire(r, now)
		b.release(r)
	}
	b.bound()
	return nil
}

// readSnapshot reads and checks a whole snapshot and changes nothing.
func (b *Broker) readSnapshot(from io.Reader) (rooms []*room, voids [voidCount]string, err error) {
	d := newDecoder(from)
	taken := d.header()
	voids = d.voids()
	d.taken = b.now() - min(max(0, int64(time.Since(taken))), longest)
	names := make(map[string]bool)
	for {
		tag := d.number()
		if d.err != nil || tag == 0 {
			break
		}
		r := d.room(tag)
		if names[r.name] {
			d.fail("named twice")
		}
		if d.err != nil {
			return nil, voids, fmt.Errorf("room %d, %q: %w", len(rooms)+1, r.name, d.err)
		}
		names[r.name] = true
		rooms = append(rooms, r)
	}
	d.trailer()
	return rooms, voids, d.err
}
