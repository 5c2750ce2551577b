package logbound

import (
	"context"
	"log/slog"
)

// Safe returns a slog.Handler of the application's. A panic of next costs the record alone. panicked is called for each, since a
// panic of the log cannot be logged.
func Safe(next slog.Handler, panicked func()) slog.Handler { return &safe{next, panicked} }

type safe struct {
	slog.Handler
	panicked func()
}

func (s *safe) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer s.rescue()
	return s.Handler.Enabled(ctx, level)
}

func (s *safe) Handle(ctx context.Context, r slog.Record) error {
	defer s.rescue()
	return s.Handler.Handle(ctx, r)
}

func (s *safe) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &safe{s.Handler.WithAttrs(attrs), s.panicked}
}

func (s *safe) WithGroup(name string) slog.Handler {
	return &safe{s.Handler.WithGroup(name), s.panicked}
}

func (s *safe) rescue() {
	if recover() != nil { //nolint:revive // it is what is deferred
		s.panicked()
	}
}
