package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrInvalid matches every complaint about an argument that could never be right, whatever the state
// of the broker.
var ErrInvalid = errors.New("broker: invalid argument")

// Check tells what is wrong with the bounds: Size and TTL must be positive, or all zero. The error matches
// ErrInvalid.
func (r Retention) Check() error {
	if r == (Retention{}) || r.Enabled() && r.Bytes >= 0 {
		return nil
	}
	return fmt.Errorf("%w: retention of %d messages, %v and %d bytes: number and age must be positive, or all zero",
		ErrInvalid, r.Size, r.TTL, r.Bytes)
}

// Check tells what is wrong with a publication. The error matches ErrInvalid.
func (p *Publication) Check() error {
	if p.IdempotencyTTL < 0 {
		return fmt.Errorf("%w: idempotency TTL of %v", ErrInvalid, p.IdempotencyTTL)
	}
	return p.Retention.Check()
}

// KeyTTL returns IdempotencyTTL, or its default.
func (p *Publication) KeyTTL() time.Duration {
	if p.IdempotencyTTL == 0 {
		return DefaultIdempotencyTTL
	}
	return p.IdempotencyTTL
}

// Check tells what is wrong with a query. The error matches ErrInvalid.
func (q *Query) Check() error {
	if q.Last < 0 || q.Limit < 0 || q.Bytes < 0 {
		return fmt.Errorf("%w: query for the last %d, limit of %d messages and %d bytes", ErrInvalid, q.Last, q.Limit, q.Bytes)
	}
	return q.Retention.Check()
}

// Check tells what is wrong with a member: it must have a Conn, without a zero byte. The error matches ErrInvalid.
func (m *Member) Check() error {
	if m.Conn == "" || strings.Contains(m.Conn, "\x00") {
		return fmt.Errorf("%w: member with the connection ID %q", ErrInvalid, m.Conn)
	}
	return nil
}
