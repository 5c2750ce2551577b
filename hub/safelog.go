package hub

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// safeLog is the application's slog.Handler, whose panics cost the record alone. They are counted: there is nowhere to log
// them.
type safeLog struct {
	slog.Handler
	panics *atomic.Int64
}

func (s *safeLog) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer s.rescue()
	return s.Handler.Enabled(ctx, level)
}

func (s *safeLog) Handle(ctx context.Context, r slog.Record) error {
	defer s.rescue()
	return s.Handler.Handle(ctx, r)
}

func (s *safeLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &safeLog{s.Handler.WithAttrs(attrs), s.panics}
}

func (s *safeLog) WithGroup(name string) slog.Handler {
	return &safeLog{s.Handler.WithGroup(name), s.panics}
}

func (s *safeLog) rescue() {
	if recover() != nil { //nolint:revive // it is what is deferred
		s.panics.Add(1)
	}
}
