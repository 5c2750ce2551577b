package memory

import (
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// The defaults of the options of New.
const (
	// DefaultMetadataTTL is how long the epoch and the newest offset of an idle room are kept: 30 days.
	DefaultMetadataTTL = 30 * 24 * time.Hour
	// DefaultMaxHistoryBytes bounds the histories of all rooms together: 256 MiB.
	DefaultMaxHistoryBytes = 256 << 20
	// DefaultIdempotencyKeys is how many keys of the service a room remembers.
	DefaultIdempotencyKeys = 10_000
	// DefaultPublisherKeys is how many keys of each other publisher are remembered, in all rooms together.
	DefaultPublisherKeys = 1_000
	// DefaultAllPublisherKeys is how many keys of all other publishers together are remembered. They take about 60 MB.
	DefaultAllPublisherKeys = 500_000
)

// Option configures a Broker. New reports every fault of every option together.
type Option func(*config) error

type config struct {
	metadataTTL     time.Duration
	maxHistoryBytes int64
	idempotencyKeys int
	publisherKeys   int
	allKeys         int
}

// WithMetadataTTL sets how long the epoch and the newest offset of a room with messages outlive its last
// publication, read or subscription. The default is 30 days. It must be positive. If a room's retention is longer,
// the retention counts.
func WithMetadataTTL(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("%w: WithMetadataTTL: metadata TTL of %v must be positive", broker.ErrInvalid, d)
		}
		c.metadataTTL = d
		return nil
	}
}

// WithMaxHistoryBytes bounds the memory of all rooms' histories together, in bytes: payloads, keys, names and bookkeeping. The
// default is 256 MiB. Above it the broker drops the metadata of rooms without messages, those idle for longest first. Then it
// drops the older half of the messages of the largest rooms. A reader of dropped messages is told of a gap, and [Broker.Stats]
// counts them. It must be positive.
func WithMaxHistoryBytes(n int64) Option {
	return func(c *config) error {
		if n <= 0 {
			return fmt.Errorf("%w: WithMaxHistoryBytes: a bound of %d bytes must be positive", broker.ErrInvalid, n)
		}
		c.maxHistoryBytes = n
		return nil
	}
}

// WithIdempotencyKeys sets how many idempotency keys of the service a room remembers, whatever their TTL. These are the keys
// of publications without a Publisher. The oldest key is forgotten first. The default is 10,000. It must be positive.
func WithIdempotencyKeys(perRoom int) Option {
	return func(c *config) error {
		if perRoom <= 0 {
			return fmt.Errorf("%w: WithIdempotencyKeys: %d idempotency keys per room must be positive", broker.ErrInvalid, perRoom)
		}
		c.idempotencyKeys = perRoom
		return nil
	}
}

// WithPublisherKeys sets how many idempotency keys of publishers other than the service are remembered, whatever their TTL.
// each bounds the keys of one publisher in all rooms together, and all those of all publishers. A publisher's oldest key
// is forgotten first. The publishers with the most keys forget first. The defaults are 1,000 and 500,000. Both must
// be positive.
func WithPublisherKeys(each, all int) Option {
	return func(c *config) error {
		if each <= 0 || all <= 0 {
			return fmt.Errorf("%w: WithPublisherKeys: %d idempotency keys of a publisher and %d of all must be positive", broker.ErrInvalid, each, all)
		}
		c.publisherKeys, c.allKeys = each, all
		return nil
	}
}

// configure applies the options and reports every fault at once.
func configure(opts []Option) (config, error) {
	c := config{
		metadataTTL:     DefaultMetadataTTL,
		maxHistoryBytes: DefaultMaxHistoryBytes,
		idempotencyKeys: DefaultIdempotencyKeys,
		publisherKeys:   DefaultPublisherKeys,
		allKeys:         DefaultAllPublisherKeys,
	}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("%w: option %d is nil", broker.ErrInvalid, i))
			continue
		}
		faults = append(faults, o(&c))
	}
	if err := errors.Join(faults...); err != nil {
		return config{}, fmt.Errorf("memory: %w", err)
	}
	return c, nil
}
