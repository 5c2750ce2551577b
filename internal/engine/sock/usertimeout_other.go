//go:build !linux

package sock

import (
	"errors"
	"syscall"
	"time"
)

// UserTimeout returns errors.ErrUnsupported: this system has no such option.
func UserTimeout(syscall.Conn, time.Duration) error { return errors.ErrUnsupported }
