package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gohubkit/hubkit/broker"
)

// Enter adds a member. If the room is subscribed, it announces the member in the caller's goroutine before it returns.
// Info is copied.
func (b *Broker) Enter(ctx context.Context, name string, m broker.Member) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	if err := broker.CheckRoom(name); err != nil {
		return err
	}
	m.Info = bytes.Clone(m.Info)
	r := b.findOrMake(name)
	defer b.release(r)
	if !b.open() {
		return broker.ErrClosed
	}
	_, known := r.members[m.Conn]
	if r.members == nil {
		r.members = make(map[string]broker.Member)
	}
	r.members[m.Conn] = m
	if r.subscribed && !known {
		b.receiver.PresenceChanged(r.name, m, true)
	}
	return nil
}

// Leave removes a member. If the room is subscribed, it announces that in the caller's goroutine before it returns.
func (b *Broker) Leave(ctx context.Context, name, conn string) error {
	r, err := b.present(ctx, name)
	if r == nil || err != nil {
		return err
	}
	defer b.release(r)
	if !b.open() {
		return broker.ErrClosed
	}
	m, known := r.members[conn]
	if !known {
		return nil
	}
	if delete(r.members, conn); len(r.members) == 0 {
		r.members = nil
	}
	if r.subscribed {
		b.receiver.PresenceChanged(r.name, m, false)
	}
	return nil
}

// Members lists up to limit members ordered by Conn; a limit of zero means all. Their Info is shared and must not be
// changed.
func (b *Broker) Members(ctx context.Context, name string, limit int) ([]broker.Member, error) {
	return b.MembersAfter(ctx, name, "", limit)
}

// MembersAfter is Members for the members whose Conn follows after.
func (b *Broker) MembersAfter(ctx context.Context, name, after string, limit int) ([]broker.Member, error) {
	if limit < 0 {
		return nil, fmt.Errorf("%w: limit of %d members", broker.ErrInvalid, limit)
	}
	r, err := b.present(ctx, name)
	if r == nil || err != nil {
		return nil, err
	}
	var ms []broker.Member
	if limit == 0 {
		limit = len(r.members)
	}
	last := "" // of the first members so far
	for _, m := range r.members {
		if last != "" && m.Conn > last || m.Conn <= after { // none has an empty name
			continue
		}
		if ms = append(ms, m); len(ms) == 2*limit {
			ms = first(ms, limit)
			last = ms[limit-1].Conn
		}
	}
	b.release(r)
	return slices.Clip(first(ms, limit)), nil
}

// first returns the first n members by Conn.
func first(ms []broker.Member, n int) []broker.Member {
	slices.SortFunc(ms, func(x, y broker.Member) int { return strings.Compare(x.Conn, y.Conn) })
	return ms[:min(n, len(ms))]
}

// Count returns the number of members.
func (b *Broker) Count(ctx context.Context, name string) (int, error) {
	r, err := b.present(ctx, name)
	if r == nil || err != nil {
		return 0, err
	}
	defer b.release(r)
	return len(r.members), nil
}

// present returns the room, locked, or nil if nobody can be in it.
func (b *Broker) present(ctx context.Context, name string) (*room, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	return b.findOrCheck(name)
}
