package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/logbound"
)

// lineCounts counts log lines by their message.
type lineCounts struct {
	mu sync.Mutex
	n  map[string]int
}

func (l *lineCounts) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, rest, ok := strings.Cut(string(p), `"msg":"`); ok {
		message, _, _ := strings.Cut(rest, `"`)
		l.n[message]++
	}
	return len(p), nil
}

func (l *lineCounts) of(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n[message]
}

// TestLogFlood: what clients cause is logged a few times a second, and what was left out is counted.
func TestLogFlood(t *testing.T) {
	const times = 500
	tests := []struct {
		message string
		opts    []hub.Option
		cause   func(t *testing.T, s *server)
	}{
		{
			"handshake refused",
			[]hub.Option{hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
				return hub.Identity{}, fmt.Errorf("no session: %w", hub.ErrUnauthorized)
			})},
			func(t *testing.T, s *server) {
				for range times {
					s.refused(t, nil)
				}
			},
		},
		{"handler panicked", []hub.Option{hub.WithoutRateLimit()}, func(t *testing.T, s *server) {
			s.Handle("boom", func(context.Context, *hub.Conn, []byte) (any, error) { panic("a bug") })
			c := s.dial(t)
			for range times {
				if r := c.ask(`{"op":"call","id":1,"method":"boom"}`); r.Op != "error" {
					t.Fatalf("got %+v", r)
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.message, func(t *testing.T) {
			out := &lineCounts{n: make(map[string]int)}
			s := start(t, append(tt.opts, hub.WithLogger(slog.New(slog.NewJSONHandler(out, nil))))...)
			begun := time.Now()
			tt.cause(t, s)
			leftOut := s.Stats().LogsLeftOut
			if n := out.of(tt.message); int64(n)+leftOut != times {
				t.Errorf("%d lines and %d left out, want %d together", n, leftOut, times)
			}
			// A machine so slow that it made no more than five a second would leave out none.
			if seconds := int(time.Since(begun)/time.Second) + 2; out.of(tt.message) > seconds*logbound.PerSecond {
				t.Errorf("%d lines in %d seconds", out.of(tt.message), seconds)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if leftOut > 0 && out.of(logbound.LeftOut) == 0 {
				t.Error("nothing says that something was left out")
			}
		})
	}
}
