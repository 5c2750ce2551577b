package preflight

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrOption matches every complaint of Check about its options.
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

// Option configures Check, which reports every fault of every option together.
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

// WithReserve sets how many descriptors are kept back from connections: for the application's files
// and other sockets that come after the check, and for connections in the moment in which they are being
// refused. The default is 64 and 1 % of the limit.
func WithReserve(descriptors int) Option {
	return func(c *config) error { return between("reserve", &c.reserve, descriptors, 0) }
}

// WithConnBytes sets the memory that a connection takes, in bytes: in the process and in the kernel.
// The default is 2,000 and 10,000, which is an idle connection of the hub over plain TCP. With TLS, or
// with state of the application for each connection, it is more. So it is while a connection has a backlog, a message
// that has come in part, or rooms that only it is in: a room takes about 500 bytes and its name, a backlog and a message as
// much as the hub allows.
func WithConnBytes(user, kernel int) Option {
	return func(c *config) error {
		return errors.Join(
			between("user bytes of a connection", &c.userBytes, user, 0),
			between("kernel bytes of a connection", &c.kernelBytes, kernel, 0))
	}
}

// WithTarget sets the number of connections that Report.Short and the lines of Limit.Fix are about.
// The default is a million, or twice what is safe if that is more, but not more than memory allows unless it
// is memory that binds.
func WithTarget(conns int) Option {
	return func(c *config) error { return between("target", &c.target, conns, 1) }
}

// WithFiles reads proc and sys from a file system other than the root of this machine: from a copy,
// or from the mounted root of a host. The file system is taken for one of a Linux machine.
// RLIMIT_NOFILE is not in it: see WithDescriptorLimit.
func WithFiles(root fs.FS) Option {
	return func(c *config) error {
		if root == nil {
			return fault("file system is nil")
		}
		c.files = root
		return nil
	}
}

// WithDescriptorLimit takes these for the soft and the hard RLIMIT_NOFILE instead of asking the system.
// Numbers from 1<<62 on mean unlimited.
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
