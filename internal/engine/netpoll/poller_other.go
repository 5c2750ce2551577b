//go:build !linux

package netpoll

import "errors"

// Supported reports whether this system has a Poller.
const Supported = false

// Poller does not exist on this system; New says so.
type Poller struct{}

// New fails with errors.ErrUnsupported.
func New(func(token uint64, data bool)) (*Poller, error) { return nil, errors.ErrUnsupported }

// Add fails with errors.ErrUnsupported.
func (*Poller) Add(int, uint64) error { return errors.ErrUnsupported }

// Arm fails with errors.ErrUnsupported.
func (*Poller) Arm(int, uint64) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Poller) Close() error { return nil }
