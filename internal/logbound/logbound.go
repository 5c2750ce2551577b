// Package logbound bounds how many records a second a slog.Handler gets for one reason. Whatever clients can cause as often
// as they like is logged through it.
//
// A record's reason is its level and its message, which is therefore to be a constant. Of each reason [PerSecond] records a
// second pass; the others are counted, and once the second is over one record of the same level tells how many there
// were. While nothing is left out there is no goroutine and no timer. Memory is bounded: beyond [MaxReasons] a second, all
// further reasons are one.
package logbound

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// PerSecond is how many records of one reason pass in a second.
	PerSecond = 5
	// MaxReasons is how many reasons are told apart in a second.
	MaxReasons = 64
	// LeftOut is the message of the record that counts what was left out; its attributes are "reason", the message of
	// those records, and "count".
	LeftOut = "log records left out"
)

// Handler is a bounded slog.Handler. Handlers that WithAttrs and WithGroup make of it share its bounds.
type Handler struct {
	next   slog.Handler
	bounds *bounds
}

// New bounds what next gets. Flush is to be called when no more is logged.
func New(next slog.Handler) *Handler {
	return &Handler{next: next, bounds: &bounds{next: next, reasons: make(map[reason]*count)}}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{next: h.next.WithAttrs(attrs), bounds: h.bounds}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{next: h.next.WithGroup(name), bounds: h.bounds}
}

// Handle implements slog.Handler. It returns nil for a record that is left out.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if !h.bounds.pass(reason{r.Level, r.Message}) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// Dropped is how many records have been left out so far.
func (h *Handler) Dropped() int64 { return h.bounds.dropped.Load() }

// Flush tells at once what has been left out, and stops the timer.
func (h *Handler) Flush() { h.bounds.turn() }

type reason struct {
	level   slog.Level
	message string
}

type count struct{ passed, leftOut int }

// bounds is one second's counts.
type bounds struct {
	next    slog.Handler // without the attributes and groups of single records
	dropped atomic.Int64

	mu      sync.Mutex
	begun   time.Time // of the second
	reasons map[reason]*count
	timer   *time.Timer // set while something is left out
}

func (b *bounds) pass(why reason) bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil && now.Sub(b.begun) >= time.Second { // else the timer ends it
		clear(b.reasons)
		b.begun = now
	}
	c := b.reasons[why]
	if c == nil {
		if len(b.reasons) >= MaxReasons {
			why = reason{why.level, "other reasons"}
			c = b.reasons[why]
		}
		if c == nil {
			c = new(count)
			b.reasons[why] = c
		}
	}
	if c.passed < PerSecond {
		c.passed++
		return true
	}
	c.leftOut++
	b.dropped.Add(1)
	if b.timer == nil {
		b.timer = time.AfterFunc(time.Second-now.Sub(b.begun), b.turn)
	}
	return false
}

// turn ends the second, and tells what was left out in it.
func (b *bounds) turn() {
	b.mu.Lock()
	told := b.reasons
	b.reasons = make(map[reason]*count)
	now := time.Now()
	b.begun = now
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	b.mu.Unlock()
	for why, c := range told {
		if c.leftOut == 0 {
			continue
		}
		r := slog.NewRecord(now, why.level, LeftOut, 0)
		r.AddAttrs(slog.String("reason", why.message), slog.Int("count", c.leftOut))
		// Nobody is there to be told that the log failed.
		_ = b.next.Handle(context.Background(), r)
	}
}
