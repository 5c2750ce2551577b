//go:build !linux

package uring

import "errors"

// Ring does not exist on this system.
type Ring struct{}

// New returns an error that matches errors.ErrUnsupported.
func New(int) (*Ring, error) { return nil, errors.ErrUnsupported }

// Len is zero.
func (*Ring) Len() int { return 0 }

// Full is true.
func (*Ring) Full() bool { return true }

// Send does nothing.
func (*Ring) Send(int, []byte) {}

// Submit does nothing.
func (*Ring) Submit(func(i, n int)) error { return nil }

// Close does nothing.
func (*Ring) Close() error { return nil }
