//go:build !linux

package netpoll

import (
	"errors"
	"testing"
)

func TestUnsupported(t *testing.T) {
	if _, err := New(func(uint64, bool) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("New: %v, want errors.ErrUnsupported", err)
	}
}
