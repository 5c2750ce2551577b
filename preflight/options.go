package preflight

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrOption matches every error of Check about its options.
var ErrOption = errors.New("preflight: invalid option")

const (
	// most bounds what options may ask for, so that no product of them overflows.
	most = 1_000_000_000

	// What one idle connection of the hub costs, measured at a million of them on Linux 6.18: 1.8 KB
	// resident in the process, and 9.5 KB in the kernel for the socket, its file and its watches.
	defaultUserBytes   = 2_000
	defaultKernelBytes = 10_000

	// defaultReserve is for Redis, health checks, listeners and files. To it comes one in
	// reserveShare of the limit: a connection that is refused politely has a descriptor until it is told.
	defaultReserve = 64
	reserveShare   = 100
)

// Option configures Check. Check reports every fault of every option together.
type Option func(*config) error

type config struct {
	reserve     int64 // negative: the default, which depends on the limit
	userBytes   int64
	kernelBytes int64
	target      int64 // zero: Check chooses
	files       fs.FS // nil: this machine
	rlimit      func() (soft, hard uint64, err error)
}

func configure(opts []Option) (*config, error) {
	c := &config{
		reserve:     -1,
		userBytes:   defaultUserBytes,
		kernelBytes: defaultKernelBytes,
		rlimit:      descriptorLimit,
	}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fault("option %d is nil", i))
			continue
		}
		faults = append(faults, o(c))
	}
	if c.userBytes == 0 && c.kernelBytes == 0 {
		faults = append(faults, fault("a connection costs no memory at all"))
	}
	return c, errors.Join(faults...)
}

func fault(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrOption}, args...)...)
}

// between sets a field when n is in range, and returns a fault otherwise.
func between(what string, field *int64, n, low int) error {
	if n < low || n > most {
		return fault("%s is %d, must be %d to %d", what, n, low, most)
	}
	*field = int64(n)
	return nil
}

// WithReserve sets how many descriptors are kept back from connections. They are for files and other sockets that
// the application opens after the check, and for connections while they are being refused. The default is 64
// plus 1 % of the limit.
func WithReserve(descriptors int) Option {
	return func(c *config) error { return between("reserve", &c.reserve, descriptors, 0) }
}

// WithConnBytes sets the memory that a connection takes in the process and in the kernel, in bytes. The default is
// 2,000 and 10,000, for an idle connection of the hub over plain TCP. Over TLS it takes 12,000 in the process.
// State of the application for each connection adds to that. So does a backlog or a partly received message, each
// up to the bound of the hub. A room with only this connection takes about 500 bytes and its name.
func WithConnBytes(user, kernel int) Option {
	return func(c *config) error {
		return errors.Join(
			between("user bytes of a connection", &c.userBytes, user, 0),
			between("kernel bytes of a connection", &c.kernelBytes, kernel, 0))
	}
}

// WithTarget sets the number of connections for Report.Short and the lines of Limit.Fix. The default is the
// larger of a million and twice SafeConns. If memory does not bind, the default is at most the number that memory
// allows.
func WithTarget(conns int) Option {
	return func(c *config) error { return between("target", &c.target, conns, 1) }
}

// WithFiles makes Check read proc and sys from another file system: a copy, or the mounted root of a host. The
// default is the root of this machine. The file system must be that of a Linux machine. RLIMIT_NOFILE is not in it:
// see WithDescriptorLimit.
func WithFiles(root fs.FS) Option {
	return func(c *config) error {
		if root == nil {
			return fault("file system is nil")
		}
		c.files = root
		return nil
	}
}

// WithDescriptorLimit sets the soft and the hard RLIMIT_NOFILE. By default Check asks the system. A number of
// 1<<62 or more means unlimited.
func WithDescriptorLimit(soft, hard uint64) Option {
	return func(c *config) error {
		if soft > hard {
			return fault("soft limit %d is above the hard limit %d", soft, hard)
		}
		c.rlimit = func() (uint64, uint64, error) { return soft, hard, nil }
		return nil
	}
}

// keep is how much of a limit on descriptors is kept back.
func (c *config) keep(limit int64) int64 {
	if c.reserve >= 0 {
		return c.reserve
	}
	return defaultReserve + limit/reserveShare
}

// need is the smallest limit on descriptors that allows goal connections: the inverse of
// limit − used − keep(limit).
func (c *config) need(goal, used int64) int64 {
	if c.reserve >= 0 {
		return goal + used + c.reserve
	}
	n := goal + used + defaultReserve
	return n + n/(reserveShare-1) + 1
}

func (c *config) connBytes() int64 { return c.userBytes + c.kernelBytes }
