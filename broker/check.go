package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrInvalid matches every error about an argument that could never be right, whatever the state
// of the broker.
var ErrInvalid = errors.New("broker: invalid argument")

// Check returns an error if the bounds are not valid. Size and TTL must be positive, or all fields zero. Bytes must not
// be negative. The error matches ErrInvalid.
func (r Retention) Check() error {
	if r == (Retention{}) || r.Enabled() && r.Bytes >= 0 {
		return nil
	}
	return fmt.Errorf("%w: retention of %d messages, %v and %d bytes: number and age must be positive and bytes not negative, or all zero",
		ErrInvalid, r.Size, r.TTL, r.Bytes)
}

// Check returns an error if IdempotencyTTL is negative or Retention is not valid. The error matches ErrInvalid.
func (p *Publication) Check() error {
	if p.IdempotencyTTL < 0 {
		return fmt.Errorf("%w: idempotency TTL of %v must not be negative", ErrInvalid, p.IdempotencyTTL)
	}
	return p.Retention.Check()
}

// KeyTTL returns IdempotencyTTL, or DefaultIdempotencyTTL if it is zero.
func (p *Publication) KeyTTL() time.Duration {
	if p.IdempotencyTTL == 0 {
		return DefaultIdempotencyTTL
	}
	return p.IdempotencyTTL
}

// Check returns an error if Last, Limit or Bytes is negative, or Retention is not valid. The error matches ErrInvalid.
func (q *Query) Check() error {
	if q.Last < 0 || q.Limit < 0 || q.Bytes < 0 {
		return fmt.Errorf("%w: query for the last %d, limit of %d messages and %d bytes: none may be negative", ErrInvalid, q.Last, q.Limit, q.Bytes)
	}
	return q.Retention.Check()
}

// Check returns an error if Conn is empty or contains a zero byte. The error matches ErrInvalid.
func (m *Member) Check() error {
	if m.Conn == "" || strings.Contains(m.Conn, "\x00") {
		return fmt.Errorf("%w: member with the connection ID %q: it must not be empty or contain a zero byte", ErrInvalid, m.Conn)
	}
	return nil
}
