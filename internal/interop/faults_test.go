package interop_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/interop"
	"github.com/gohubkit/hubkit/protocol"
)

var (
	plain = interop.Request{}
	v1    = interop.Request{Subprotocols: []string{protocol.Subprotocol}}
)

// closeCode of what OnDisconnect was told.
func closeCode(t *testing.T, err error) protocol.CloseCode {
	t.Helper()
	var ce *hub.CloseError
	if !errors.As(err, &ce) {
		t.Fatalf("OnDisconnect was told %v, want a CloseError", err)
	}
	return ce.Code
}

// TestShutdown: each client is told to come back, and when.
func TestShutdown(t *testing.T) {
	l := serveHub(t, hub.WithDrain(10*time.Millisecond))
	var speakers []*speaker
	for _, impl := range interop.Implementations() {
		s := speak(t, impl)
		s.plain(l)
		speakers = append(speakers, s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, l.Shutdown(ctx))
	for _, s := range speakers {
		reason := s.closed(protocol.CloseServiceRestart)
		if h, ok := protocol.ParseHint(reason); !ok || h.Spread <= 0 {
			t.Errorf("reason %q, want a hint with a spread", reason)
		}
		_, err := s.Connect(s.ctx, l.url, plain)
		var rejected *interop.RejectedError
		if !errors.As(err, &rejected) || rejected.Status != 503 || rejected.Headers["retry-after"] == "" {
			t.Errorf("Connect after Shutdown: %v, want 503 with Retry-After", err)
		}
	}
}

// TestAbnormalEnds: however a client ends, the hub notices.
func TestAbnormalEnds(t *testing.T) {
	overHub(t, func(t *testing.T, l *live, s *speaker) {
		s.plain(l)
		must(t, s.Terminate())
		if code := closeCode(t, l.ended(t, s.id)); code != protocol.CloseAbnormal {
			t.Errorf("a broken connection ends with %v", code)
		}
		s.closed(protocol.CloseAbnormal)

		s.plain(l)
		must(t, s.Close(4321, "own code"))
		if code := closeCode(t, l.ended(t, s.id)); code != 4321 {
			t.Errorf("a closed connection ends with %v, want the client's code", code)
		}
		s.closed(4321)

		s.plain(l)
		s.Process().Kill()
		if code := closeCode(t, l.ended(t, s.id)); code != protocol.CloseAbnormal {
			t.Errorf("a killed client ends with %v", code)
		}
	})
}

// prefix reads to the end of a broken connection, and fails unless what came was without a hole.
func (s *speaker) prefix(atMost int, tail string) {
	s.t.Helper()
	for i := 1; ; i++ {
		e, err := s.Next(s.ctx)
		must(s.t, err)
		if e.Kind == interop.Close {
			if e.Code != int(protocol.CloseAbnormal) || i > atMost {
				s.t.Errorf("%v after %d messages, want 1006 before all %d", e, i-1, atMost)
			}
			return
		}
		if want := fmt.Sprintf(`{"op":"message","room":"news","data":[%d%s}`, i, tail); e.Text != want {
			s.t.Fatalf("message %d is %.80v", i, e)
		}
	}
}

// await waits until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}
