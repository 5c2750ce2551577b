package memory

import (
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// The defaults of New.
const (
	// DefaultMetadataTTL is how long the positions of an idle room stay comparable.
	DefaultMetadataTTL = 30 * 24 * time.Hour
	// DefaultMaxHistoryBytes bounds the stored messages of all rooms together, 256 MiB.
	DefaultMaxHistoryBytes = 256 << 20
	// DefaultIdempotencyKeys is how many keys a room remembers.
	DefaultIdempotencyKeys = 10_000
)

// Option is a setting of New.
type Option func(*config) error

type config struct {
	metadataTTL     time.Duration
	maxHistoryBytes int64
	idempotencyKeys int
}

// WithMetadataTTL sets how long the epoch and the newest offset of a room outlive the last
// publication, reading or subscription there. It must be positive. Where a room's retention is longer,
// that counts.
func WithMetadataTTL(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("%w: metadata TTL of %v", broker.ErrInvalid, d)
		}
		c.metadataTTL = d
		return nil
	}
}

// WithMaxHistoryBytes bounds what the histories of all rooms hold together: payloads, keys, names and
// what it takes to keep them. Beyond it the messages that would expire first are dropped, and after
// them the metadata of the rooms idle for longest; who then asks for them is told of a gap. It
// must be positive.
func WithMaxHistoryBytes(n int64) Option {
	return func(c *config) error {
		if n <= 0 {
			return fmt.Errorf("%w: at most %d bytes of history", broker.ErrInvalid, n)
		}
		c.maxHistoryBytes = n
		return nil
	}
}

// WithIdempotencyKeys sets how many idempotency keys a room remembers, whatever their TTL; the oldest
// is forgotten first. It must be positive.
func WithIdempotencyKeys(perRoom int) Option {
	return func(c *config) error {
		if perRoom <= 0 {
			return fmt.Errorf("%w: %d idempotency keys per room", broker.ErrInvalid, perRoom)
		}
		c.idempotencyKeys = perRoom
		return nil
	}
}

// configure applies the options and reports every fault at once.
func configure(opts []Option) (config, error) {
	c := config{
		metadataTTL:     DefaultMetadataTTL,
		maxHistoryBytes: DefaultMaxHistoryBytes,
		idempotencyKeys: DefaultIdempotencyKeys,
	}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("%w: option %d is nil", broker.ErrInvalid, i+1))
			continue
		}
		faults = append(faults, o(&c))
	}
	if err := errors.Join(faults...); err != nil {
		return config{}, fmt.Errorf("memory: %w", err)
	}
	return c, nil
}
