//go:build unix

package preflight

import "golang.org/x/sys/unix"

// descriptorLimit returns RLIMIT_NOFILE.
func descriptorLimit() (soft, hard uint64, err error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, 0, err
	}
	return unsigned(l.Cur), unsigned(l.Max), nil
}

// unsigned is needed because the fields are signed on some systems.
func unsigned[T int64 | uint64](n T) uint64 { return uint64(n) }
