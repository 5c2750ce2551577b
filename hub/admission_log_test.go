package hub_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/preflight"
)

// lines counts what is logged.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

func (l *lines) with(what string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.Contains(line, what) {
			found = append(found, line)
		}
	}
	return found
}

// TestRefusalsAreLoggedSeldom: once a second, with the sums.
func TestRefusalsAreLoggedSeldom(t *testing.T) {
	log := new(lines)
	s := start(t, hub.WithMaxConns(1), hub.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	s.dial(t)
	begin := time.Now()
	for range 50 {
		s.refused(t, nil)
	}
	got, most := log.with("handshakes refused"), 1+int(time.Since(begin)/time.Second)
	if len(got) == 0 || len(got) > most || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], "at_capacity=1") {
		t.Errorf("%d lines, want 1 to %d: %v", len(got), most, got)
	}
}

// TestPreflightIsLogged in one line, a warning where less is had than asked for.
func TestPreflightIsLogged(t *testing.T) {
	for _, tt := range []struct {
		name  string
		opts  []hub.Option
		level string
		conns int // bounded by; 0 for something
	}{
		{"nothing asked", nil, "INFO", 0},
		{"little asked", one(hub.WithMaxConns(7)), "INFO", 7},
		{"more asked than there are descriptors", one(hub.WithMaxConns(1e6), hub.WithPreflight(preflight.WithDescriptorLimit(1000, 1000))), "WARN", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := new(lines)
			s := start(t, append(tt.opts, hub.WithLogger(slog.New(slog.NewTextHandler(log, nil))))...)
			got := log.with("preflight: ")
			if len(got) != 1 || !strings.Contains(got[0], "level="+tt.level) {
				t.Errorf("logged %q", got)
			}
			most := s.Stats().Admission.MaxConns
			if most <= 0 || most >= 1e6 && tt.level == "WARN" || tt.conns > 0 && most != tt.conns {
				t.Errorf("bound is %d", most)
			}
			nodes, err := s.Nodes(t.Context())
			if err != nil || nodes[0].Capacity != most {
				t.Errorf("announced %+v, %v", nodes, err)
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		log := new(lines)
		s := start(t, hub.WithoutPreflight(), hub.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		if got := log.with("preflight"); len(got) > 0 || s.Stats().Admission != (hub.AdmissionStats{}) {
			t.Errorf("logged %q, %+v", got, s.Stats().Admission)
		}
		s.dial(t)
	})
}
